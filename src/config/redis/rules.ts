import { X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { createSecureContext, type ConnectionOptions } from 'node:tls';
import { ConfigError, refuse, type Mistake } from '../../ioc/index.js';
import type { RedisConfig } from './config.js';
import { wrongEndpoints } from './endpoint.js';

type Property = keyof RedisConfig & string;

/**
 * What the fields of `redis` must keep to together.
 * @returns options of TLS, the files read; undefined without TLS
 * @throws {ConfigError} with everything that does not fit
 */
export function checkRedis(config: RedisConfig): ConnectionOptions | undefined {
  const wrong: Mistake[] = [];
  const expect = (isRight: boolean, property: Property, right: string) => {
    if (!isRight) wrong.push(...refuse(config, property, right).mistakes);
  };
  const endpoints = wrongEndpoints(config.endpoints);
  expect(endpoints === undefined, 'endpoints', endpoints ?? '');
  checkMode(config, expect);
  checkTls(config, expect);
  const options = config.tls ? tlsOptions(config, wrong) : undefined;
  if (wrong.length > 0) throw new ConfigError(wrong);
  return options;
}

/** Whether the endpoints are those of a Cluster. */
export function isCluster({ cluster, endpoints, masterName }: RedisConfig): boolean {
  return masterName === '' && (cluster || endpoints.length > 1);
}

type Expect = (isRight: boolean, property: Property, right: string) => void;

function checkMode(config: RedisConfig, expect: Expect): void {
  const { cluster, db, username, password, masterName, sentinelUsername, sentinelPassword } = config;
  expect(
    !isCluster(config) || db === 0,
    'db',
    '0: a Cluster, as several endpoints without master_name are, has only that',
  );
  expect(!cluster || masterName === '', 'cluster', 'false where master_name is set');
  expect(username === '' || password !== '', 'username', '"" unless password is set');
  expect(masterName !== '' || sentinelUsername === '', 'sentinelUsername', '"" unless master_name is set');
  expect(masterName !== '' || sentinelPassword === '', 'sentinelPassword', '"" unless master_name is set');
  if (masterName === '') return;
  expect(sentinelUsername === '' || sentinelPassword !== '', 'sentinelUsername', '"" unless sentinel_password is set');
}

function checkTls(config: RedisConfig, expect: Expect): void {
  for (const property of ['tlsCaFile', 'tlsCertFile', 'tlsKeyFile', 'tlsServerName'] as const) {
    expect(config.tls || config[property] === '', property, '"" unless tls is true');
  }
  expect(config.tls || config.tlsVerify, 'tlsVerify', 'true unless tls is true');
  const { tlsCertFile, tlsKeyFile } = config;
  expect(tlsCertFile === '' || tlsKeyFile !== '', 'tlsKeyFile', 'the file of the key that belongs to tls_cert_file');
  expect(tlsKeyFile === '' || tlsCertFile !== '', 'tlsCertFile', 'the file of the certificate for tls_key_file');
}

function tlsOptions(config: RedisConfig, wrong: Mistake[]): ConnectionOptions {
  const ca = readPem(config, 'tlsCaFile', wrong);
  const cert = readPem(config, 'tlsCertFile', wrong);
  const key = readPem(config, 'tlsKeyFile', wrong);
  if (ca !== undefined && !isBundle(ca))
    wrong.push(...refuse(config, 'tlsCaFile', 'a PEM file of certificates').mistakes);
  if (cert !== undefined && key !== undefined) {
    isUsable({ cert, key }, (why) => {
      const right = `a PEM certificate that belongs to the key in tls_key_file, which has no passphrase (${why})`;
      wrong.push(...refuse(config, 'tlsCertFile', right).mistakes);
    });
  }
  return {
    rejectUnauthorized: config.tlsVerify,
    ...(ca !== undefined && { ca }),
    ...(cert !== undefined && key !== undefined && { cert, key }),
    ...(config.tlsServerName !== '' && { servername: config.tlsServerName }),
  };
}

type FileProperty = 'tlsCaFile' | 'tlsCertFile' | 'tlsKeyFile';

function readPem(config: RedisConfig, property: FileProperty, wrong: Mistake[]): Buffer | undefined {
  const file = config[property];
  if (file === '') return undefined;
  try {
    return readFileSync(file);
  } catch (error) {
    const right = `a file that can be read (${(error as NodeJS.ErrnoException).code})`;
    wrong.push(...refuse(config, property, right).mistakes);
    return undefined;
  }
}

/** TLS itself passes over what it cannot read, and then trusts nobody. */
function isBundle(pem: Buffer): boolean {
  const certificates = pem.toString('latin1').match(/-----BEGIN CERTIFICATE-----[^]*?-----END CERTIFICATE-----/g);
  try {
    return (certificates ?? []).map((one) => new X509Certificate(one)).length > 0;
  } catch {
    return false;
  }
}

function isUsable(context: { cert: Buffer; key: Buffer }, otherwise: (why: string) => void): void {
  try {
    createSecureContext(context);
  } catch (error) {
    otherwise((error as NodeJS.ErrnoException).code ?? (error as Error).message);
  }
}
