/** Jest runs the TypeScript sources as ES modules; the package's own name means src/index.ts. */
export default {
  testEnvironment: '<rootDir>/test/support/leak_environment.js',
  roots: ['<rootDir>/test'],
  extensionsToTreatAsEsm: ['.ts'],
  moduleNameMapper: {
    '^mcube-lock$': '<rootDir>/src/index.ts',
    '^mcube-lock/(ioc)$': '<rootDir>/src/$1/index.ts',
    '^mcube-lock/(lock|redis)$': '<rootDir>/src/config/$1/index.ts',
    '^mcube-lock/go-cache$': '<rootDir>/src/config/go_cache/index.ts',
    '^(\\.{1,2}/.*)\\.js$': '$1',
  },
  transform: { '^.+\\.ts$': ['ts-jest', { useESM: true, tsconfig: '<rootDir>/tsconfig.json', diagnostics: false }] },
  globalSetup: '<rootDir>/test/support/global_setup.js',
  globalTeardown: '<rootDir>/test/support/global_teardown.js',
  reporters: ['default', '<rootDir>/test/support/count_reporter.js'],
  testTimeout: 60_000,
};
