import { generateKeyPairSync, randomBytes, sign } from 'node:crypto';

/** A key and a certificate, in PEM. */
export interface Certificate {
  readonly cert: string;
  readonly key: string;
}

// Object identifiers, already encoded: ecdsa-with-SHA256, common name, subject alternative name, basic constraints.
const SIGNATURE = '06082a8648ce3d040302';
const COMMON_NAME = '0603550403';
const ALTERNATIVE_NAME = '0603551d11';
const BASIC_CONSTRAINTS = '0603551d13';

/** Makes a certificate for `localhost` and 127.0.0.1 that vouches for itself, valid for a day. */
export function selfSigned(): Certificate {
  const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const algorithm = der(0x30, hex(SIGNATURE));
  const name = der(0x30, der(0x31, der(0x30, hex(COMMON_NAME), der(0x0c, Buffer.from('localhost')))));
  const body = der(
    0x30,
    der(0xa0, der(0x02, hex('02'))),
    der(0x02, Buffer.concat([hex('01'), randomBytes(8)])),
    algorithm,
    name,
    der(0x30, time(-3_600_000), time(24 * 3_600_000)),
    name,
    publicKey.export({ type: 'spki', format: 'der' }),
    der(0xa3, extensions()),
  );
  const signature = der(0x03, hex('00'), sign('sha256', body, privateKey));
  const base64 = der(0x30, body, algorithm, signature).toString('base64');
  return {
    cert: `-----BEGIN CERTIFICATE-----\n${base64.replace(/(.{64})/g, '$1\n').trim()}\n-----END CERTIFICATE-----\n`,
    key: privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
  };
}

function extensions(): Buffer {
  const names = der(0x30, der(0x82, Buffer.from('localhost')), der(0x87, hex('7f000001')));
  const authority = der(0x30, der(0x01, hex('ff')));
  return der(
    0x30,
    der(0x30, hex(ALTERNATIVE_NAME), der(0x04, names)),
    der(0x30, hex(BASIC_CONSTRAINTS), der(0x01, hex('ff')), der(0x04, authority)),
  );
}

function time(fromNow: number): Buffer {
  const text = new Date(Date.now() + fromNow).toISOString().replace(/[-:T]/g, '').slice(2, 14);
  return der(0x17, Buffer.from(`${text}Z`));
}

/** One element of the encoding: tag, length, content. */
function der(tag: number, ...parts: Buffer[]): Buffer {
  const content = Buffer.concat(parts);
  const size = content.length;
  const length = size < 0x80 ? [size] : size < 0x100 ? [0x81, size] : [0x82, size >> 8, size & 0xff];
  return Buffer.concat([Buffer.from([tag, ...length]), content]);
}

function hex(text: string): Buffer {
  return Buffer.from(text, 'hex');
}
