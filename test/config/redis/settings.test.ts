import { inspect } from 'node:util';
import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { Cluster, Redis } from 'ioredis';
import { endpoint } from '../../../src/config/redis/endpoint.js';
import { client, get, RedisConfig } from '../../../src/config/redis/index.js';
import { NotReadyError } from '../../../src/errors.js';
import { Ioc } from '../../../src/ioc/index.js';
import { ConfigError, describe as shown, fieldsOf } from '../../../src/loader/index.js';
import { selfSigned } from '../../support/certificate.js';
import { tempDir } from '../../support/temp_dir.js';

const env = { enabled: false };

async function withRedis<T>(redis: Record<string, unknown>, use: (container: Ioc) => T): Promise<T> {
  const container = await new Ioc().setup({ env, values: { redis } });
  try {
    return use(container);
  } finally {
    await container.stop();
  }
}

async function refusal(redis: Record<string, unknown>): Promise<ConfigError> {
  const error = await new Ioc().setup({ env, values: { redis } }).catch((reason: unknown) => reason);
  expect(error).toBeInstanceOf(ConfigError);
  return error as ConfigError;
}

describe('the component redis', () => {
  it("has mcube's fields and defaults, and its own", () => {
    expect(shown(new RedisConfig())).toEqual({
      endpoints: ['127.0.0.1:6379'],
      cluster: false,
      db: 0,
      username: '',
      password: '',
      trace: true,
      metric: false,
      credential_mode: 'static',
      master_name: '',
      sentinel_username: '',
      sentinel_password: '',
      tls: false,
      tls_ca_file: '',
      tls_cert_file: '',
      tls_key_file: '',
      tls_server_name: '',
      tls_verify: true,
      connect_timeout: 5_000,
      command_timeout: 5_000,
    });
    const secret = fieldsOf(RedisConfig).filter((field) => field.secret);
    expect(secret.map(({ key }) => key)).toEqual(['password', 'sentinel_password']);
    expect([new RedisConfig().name(), new RedisConfig().priority()]).toEqual(['redis', 697]);
  });

  it('gives its client between setup and stop, and says what to call otherwise', async () => {
    const container = new Ioc();
    expect(() => client(container)).toThrow(NotReadyError);
    expect(() => client()).toThrow('await ioc.developmentSetup()');
    expect(() => get(container).createClient()).toThrow(NotReadyError);
    await container.setup({ env });
    expect(client(container)).toBe(client(container));
    expect(client(container).status).toBe('wait');
    await container.stop();
    expect(() => client(container)).toThrow(NotReadyError);
    expect(() => get(container).createClient()).toThrow(NotReadyError);
  });

  it('shows no secret of its own, nor those of its client, when it is printed', async () => {
    const settings = { password: 'hunter2', masterName: 'm', sentinelPassword: 'hunter2' };
    await withRedis(settings, (container) => {
      const config = get(container);
      for (const text of [inspect(config, { depth: 9, showHidden: true }), JSON.stringify(config)]) {
        expect(text).not.toContain('hunter2');
        expect(text).toContain('***');
      }
    });
  });
});

describe('the client', () => {
  it('of one endpoint is for that server', async () => {
    const settings = {
      endpoints: ['[::1]:7000'],
      db: 3,
      username: 'app',
      password: 'pw',
      connectTimeout: '1s',
      commandTimeout: 250,
    };
    await withRedis(settings, (container) => {
      const redis = client(container);
      expect(redis).toBeInstanceOf(Redis);
      expect(redis.options).toMatchObject({
        host: '::1',
        port: 7000,
        db: 3,
        username: 'app',
        password: 'pw',
        lazyConnect: true,
      });
      expect(redis.options).toMatchObject({ connectTimeout: 1_000, commandTimeout: 250 });
    });
  });

  it('of several endpoints is for a Cluster', async () => {
    const settings = { endpoints: ['a:1', 'b:2'], password: 'pw', tls: true };
    await withRedis(settings, (container) => {
      const cluster = client(container) as Cluster;
      expect(cluster).toBeInstanceOf(Cluster);
      expect(cluster.options.lazyConnect).toBe(true);
      expect(cluster.options.redisOptions).toMatchObject({ password: 'pw', tls: { rejectUnauthorized: true } });
    });
  });

  it('of one endpoint is for a Cluster where that is said', async () => {
    await withRedis({ endpoints: ['a:1'], cluster: true }, (container) => {
      expect(client(container)).toBeInstanceOf(Cluster);
    });
  });

  it('of a master name asks the Sentinels', async () => {
    const settings = {
      endpoints: ['a:1', 'b:2'],
      masterName: 'm',
      db: 2,
      sentinelUsername: 's',
      sentinelPassword: 'pw',
      tls: true,
    };
    await withRedis(settings, (container) => {
      const redis = client(container);
      expect(redis).toBeInstanceOf(Redis);
      expect(redis.options).toMatchObject({
        name: 'm',
        db: 2,
        sentinels: [
          { host: 'a', port: 1 },
          { host: 'b', port: 2 },
        ],
        sentinelUsername: 's',
        sentinelPassword: 'pw',
        enableTLSForSentinelMode: true,
      });
    });
  });

  it('can be made once more with other options, wherever they belong', async () => {
    const overrides = {
      connectionName: 'locks',
      commandTimeout: 7,
      enableOfflineQueue: false,
      retryStrategy: () => null,
    };
    for (const endpoints of [['a:1'], ['a:1', 'b:2']]) {
      await withRedis({ endpoints }, (container) => {
        const other = get(container).createClient(overrides);
        expect(other).not.toBe(client(container));
        expect(other.options.enableOfflineQueue).toBe(false);
        const node = other instanceof Cluster ? other.options.redisOptions : other.options;
        expect(node).toMatchObject({ connectionName: 'locks', commandTimeout: 7, connectTimeout: 5_000 });
        if (other instanceof Cluster) expect(other.options.clusterRetryStrategy).toBe(overrides.retryStrategy);
        else expect(other.options.retryStrategy).toBe(overrides.retryStrategy);
        other.disconnect();
      });
    }
  });
});

describe('settings that make no sense', () => {
  it.each<[Record<string, unknown>, string, string]>([
    [{ endpoints: [] }, 'redis.endpoints', '1 or more'],
    [{ endpoints: ['localhost'] }, 'redis.endpoints', 'host:port'],
    [{ endpoints: [':6379'] }, 'redis.endpoints', 'host:port'],
    [{ endpoints: ['a:0'] }, 'redis.endpoints', 'port 1 to 65535'],
    [{ endpoints: ['a:65536'] }, 'redis.endpoints', 'port 1 to 65535'],
    [{ endpoints: ['a:06379'] }, 'redis.endpoints', 'port 1 to 65535'],
    [{ endpoints: ['::1:6379'] }, 'redis.endpoints', '[v6]:port'],
    [{ endpoints: ['[g::1]:6379'] }, 'redis.endpoints', '[v6]:port'],
    [{ endpoints: ['a:1', 'b 2'] }, 'redis.endpoints', 'item 2 is neither'],
    [{ endpoints: ['a', 'b:1', 'redis://c:1'] }, 'redis.endpoints', 'item 1 is neither; item 3 is a URL'],
    [{ endpoints: ['redis://a:1'] }, 'redis.endpoints', 'it is a URL'],
    [{ endpoints: ['a:1', 'b:2', 'A:1'] }, 'redis.endpoints', 'items 1 and 3 are the same'],
    [{ endpoints: ['a:1', 'b:2'], db: 1 }, 'redis.db', 'Cluster'],
    [{ cluster: true, db: 1 }, 'redis.db', 'Cluster'],
    [{ cluster: true, masterName: 'm' }, 'redis.cluster', 'false where master_name is set'],
    [{ db: -1 }, 'redis.db', '0 or more'],
    [{ username: 'app' }, 'redis.username', 'unless password is set'],
    [{ sentinelUsername: 's' }, 'redis.sentinel_username', 'unless master_name is set'],
    [{ sentinelPassword: 'pw' }, 'redis.sentinel_password', 'unless master_name is set'],
    [{ masterName: 'm', sentinelUsername: 's' }, 'redis.sentinel_username', 'unless sentinel_password is set'],
    [{ credentialMode: 'iam' }, 'redis.credential_mode', '"static"'],
    [{ tlsCaFile: 'ca.pem' }, 'redis.tls_ca_file', 'unless tls is true'],
    [{ tlsServerName: 'a' }, 'redis.tls_server_name', 'unless tls is true'],
    [{ tlsVerify: false }, 'redis.tls_verify', 'unless tls is true'],
    [{ tls: true, tlsCaFile: 'none.pem' }, 'redis.tls_ca_file', 'a file that can be read (ENOENT)'],
    [{ tls: true, tlsCaFile: '.' }, 'redis.tls_ca_file', 'a file that can be read (EISDIR)'],
    [{ tls: true, tlsCertFile: 'package.json' }, 'redis.tls_key_file', 'belongs to tls_cert_file'],
    [{ tls: true, tlsKeyFile: 'package.json' }, 'redis.tls_cert_file', 'tls_key_file'],
    [{ connectTimeout: 0 }, 'redis.connect_timeout', 'from 1'],
    [{ commandTimeout: '0s' }, 'redis.command_timeout', 'from 1'],
    [{ pasword: 'hunter2' }, 'redis.pasword', 'did you mean `password`?'],
  ])('are refused: %p', async (settings, key, right) => {
    const error = await refusal(settings);
    expect(error.mistakes).toMatchObject([{ key, source: expect.stringContaining('in code') }]);
    expect(error.message).toContain(right);
    expect(error.message).not.toContain('hunter2');
  });

  it('are told together', async () => {
    const error = await refusal({ endpoints: ['a:1', 'a:1'], db: 1, username: 'u', tlsKeyFile: 'k' });
    expect(error.mistakes.map(({ key }) => key)).toEqual([
      'redis.endpoints',
      'redis.db',
      'redis.username',
      'redis.tls_key_file',
      'redis.tls_cert_file',
    ]);
  });

  it('tell no password of a URL', async () => {
    const passwords = fc.stringMatching(/^[a-zA-Z0-9@:/?#%.-]{0,6}Zq7x[a-zA-Z0-9@:/?#%.-]{0,6}$/);
    const urls = fc.constantFrom('redis://:', 'redis://user:', 'rediss://user:', 'user:', '');
    await fc.assert(
      fc.asyncProperty(passwords, urls, async (password, start) => {
        const error = await refusal({ endpoints: [`${start}${password}@host:6379`] });
        expect(inspect(error, { depth: 9, showHidden: true })).not.toContain('Zq7x');
      }),
      { numRuns: 50 },
    );
  });

  it('are refused when a certificate is no certificate, or not that of the key', async () => {
    const [one, two] = [selfSigned(), selfSigned()];
    await using dir = await tempDir({ 'cert.pem': one.cert, 'key.pem': two.key, 'bad.pem': `hunter2` });
    const pair = await refusal({ tls: true, tlsCertFile: dir.file('cert.pem'), tlsKeyFile: dir.file('key.pem') });
    expect(pair.mistakes).toMatchObject([
      { key: 'redis.tls_cert_file', right: expect.stringContaining('belongs to the key') },
    ]);
    const bad = await refusal({ tls: true, tlsCertFile: dir.file('bad.pem'), tlsKeyFile: dir.file('key.pem') });
    expect(bad.mistakes).toMatchObject([{ key: 'redis.tls_cert_file' }]);
    expect(bad.message).not.toContain('hunter2');
    const ca = await refusal({ tls: true, tlsCaFile: dir.file('bad.pem') });
    expect(ca.mistakes).toMatchObject([{ key: 'redis.tls_ca_file', right: 'a PEM file of certificates' }]);
  });
});

describe('an endpoint', () => {
  it('is read as it was written', () => {
    const host = fc.oneof(fc.domain(), fc.ipV4(), fc.ipV6());
    fc.assert(
      fc.property(host, fc.integer({ min: 1, max: 65_535 }), (host, port) => {
        expect(endpoint(host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`)).toEqual({ host, port });
      }),
    );
  });

  it('is never made of other text', () => {
    fc.assert(
      fc.property(fc.string(), (text) => {
        const found = endpoint(text);
        expect(
          found === undefined || [`${found.host}:${found.port}`, `[${found.host}]:${found.port}`].includes(text),
        ).toBe(true);
      }),
    );
  });
});
