import { isIPv6 } from 'node:net';

/** Where a server listens. */
export interface Endpoint {
  readonly host: string;
  readonly port: number;
}

const HOST_PORT = /^(?:([A-Za-z0-9._-]+)|\[([0-9A-Fa-f:.]+(?:%[\w.-]+)?)\]):([1-9]\d{0,4})$/;
const MOST = 65_535;

/** Reads `host:port` or `[v6]:port`; undefined when the text is neither, or there is no such port. */
export function endpoint(text: string): Endpoint | undefined {
  const [, name, v6, digits] = HOST_PORT.exec(text) ?? [];
  const host = name ?? (v6 !== undefined && isIPv6(v6) ? v6 : undefined);
  const port = Number(digits);
  return host !== undefined && port <= MOST ? { host, port } : undefined;
}

/** What is wrong with a list of endpoints, completing "expected …"; undefined when nothing is. */
export function wrongEndpoints(texts: readonly string[]): string | undefined {
  const wrong = [...texts.entries()].filter(([, text]) => !endpoint(text));
  if (wrong.length > 0) return [RIGHT, ...wrong.map(([i, text]) => `${item(i, texts)} is ${what(text)}`)].join('; ');
  const seen = new Map<string, number>();
  for (const [i, text] of texts.entries()) {
    const twin = seen.get(text.toLowerCase());
    if (twin !== undefined) return `different endpoints; items ${twin} and ${i + 1} are the same`;
    seen.set(text.toLowerCase(), i + 1);
  }
  return undefined;
}

function item(at: number, { length }: readonly string[]): string {
  return length > 1 ? `item ${at + 1}` : 'it';
}

function what(text: string): string {
  return isUrl(text) ? URL_INSTEAD : 'neither';
}

const RIGHT = `host:port or [v6]:port, port 1 to ${MOST}, such as "127.0.0.1:6379"`;
const URL_INSTEAD = 'a URL, whose parts go into endpoints, username, password, db and tls';

function isUrl(text: string): boolean {
  return text.includes('://') || text.includes('@');
}
