import { defineConfig, globalIgnores } from 'eslint/config';
import tseslint from 'typescript-eslint';

export default defineConfig(
  globalIgnores(['dist/', 'build/', 'coverage/', 'node_modules/']),
  {
    files: ['**/*.ts'],
    extends: [tseslint.configs.recommendedTypeChecked],
    // This one project for every file: there the package's own name means src/, so that nothing needs to be built first.
    languageOptions: { parserOptions: { project: './tsconfig.json', tsconfigRootDir: import.meta.dirname } },
  },
  {
    // Plain JavaScript: configuration, scripts, what jest loads before ts-jest. tsc checks the types of the last.
    files: ['**/*.js'],
    extends: [tseslint.configs.recommended],
  },
  {
    linterOptions: { reportUnusedDisableDirectives: 'error' },
    rules: {
      eqeqeq: 'error',
      'no-console': 'error',
      'prefer-const': ['error', { destructuring: 'all' }],
      '@typescript-eslint/no-unused-vars': ['error', { argsIgnorePattern: '^_', varsIgnorePattern: '^_' }],
      '@typescript-eslint/consistent-type-imports': ['error', { fixStyle: 'inline-type-imports' }],
    },
  },
  {
    files: ['**/*.ts'],
    rules: {
      '@typescript-eslint/no-floating-promises': 'error',
      '@typescript-eslint/no-misused-promises': 'error',
      '@typescript-eslint/switch-exhaustiveness-check': 'error',
      // A method whose contract gives a promise is `async` even where it has nothing to wait for, so that what it throws
      // becomes a rejection.
      '@typescript-eslint/require-await': 'off',
      // noUncheckedIndexedAccess makes every index possibly undefined; `!` says where the code knows better.
      '@typescript-eslint/no-non-null-assertion': 'off',
      // What was caught is `unknown`, and is passed on as it is.
      '@typescript-eslint/prefer-promise-reject-errors': ['error', { allowThrowingUnknown: true }],
      // What TypeScript itself calls the type of `object.constructor`, by which decorators know a class.
      '@typescript-eslint/no-unsafe-function-type': 'off',
    },
  },
  {
    // The one place of the library that prints, and programs whose job it is.
    files: ['src/cli/**', 'examples/**', 'bench/**', 'scripts/**', 'test/support/*.js'],
    rules: { 'no-console': 'off' },
  },
  {
    files: ['test/**/*.ts'],
    rules: {
      // Tests hand wrong values on purpose and look at what comes back from children and stubs, which is `any`.
      '@typescript-eslint/no-explicit-any': 'off',
      '@typescript-eslint/no-unsafe-argument': 'off',
      '@typescript-eslint/no-unsafe-assignment': 'off',
      '@typescript-eslint/no-unsafe-call': 'off',
      '@typescript-eslint/no-unsafe-member-access': 'off',
      '@typescript-eslint/no-unsafe-return': 'off',
      // `expect(object.method)` does not call it.
      '@typescript-eslint/unbound-method': 'off',
    },
  },
);
