// Checks what is installed and shipped: offline by package-lock.json, and for known vulnerabilities by the registry, where it
// has that service. Exit code 1 when something is wrong in what we ship; what could not be asked is said, not hidden.
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { fileURLToPath, pathToFileURL } from 'node:url';

const LEVELS = ['info', 'low', 'moderate', 'high', 'critical'];
const REFUSED_FROM = LEVELS.indexOf('moderate');
const LIMIT_MS = 60_000;

/** Licences that ask for no more than that their text stays: the usual ones of https://blueoakcouncil.org/list */
const PERMISSIVE = ['MIT', 'MIT-0', 'ISC', '0BSD', 'BSD-2-Clause', 'BSD-3-Clause', 'Apache-2.0', 'BlueOak-1.0.0'];

/**
 * What is wrong in a lock file, one line each.
 * @param {{ lockfileVersion?: number, packages?: Record<string, Record<string, unknown>> }} lock package-lock.json
 */
export function lockFileMistakes(lock) {
  if (!(Number(lock.lockfileVersion) >= 2) || !lock.packages)
    return ['package-lock.json: expected version 2 or later, with packages'];
  const installed = Object.entries(lock.packages).filter(([place]) => place !== '');
  return installed.flatMap(([place, entry]) => packageMistakes(place, entry).map((mistake) => `${place}: ${mistake}`));
}

/**
 * @param {string} place
 * @param {Record<string, unknown>} entry
 */
function packageMistakes(place, entry) {
  const mistakes = [];
  if (entry.link === true || !place.startsWith('node_modules/')) return ['a folder of this machine, not a package'];
  if (!/^sha(512|384|256)-[A-Za-z0-9+/]{43,}={0,2}$/.test(String(entry.integrity))) {
    mistakes.push('no integrity hash, or a weak one');
  }
  // Left out, it comes from the registry of whoever installs.
  if (entry.resolved !== undefined && !isFromRegistry(entry.resolved)) {
    mistakes.push(`comes from ${JSON.stringify(entry.resolved)}, not by https from a registry`);
  }
  if (entry.dev === true) return mistakes;
  if (entry.hasInstallScript === true) mistakes.push('is shipped and runs a script when it is installed');
  if (!isPermissive(entry.license)) mistakes.push(`is shipped under ${JSON.stringify(entry.license ?? 'no licence')}`);
  return mistakes;
}

/** @param {unknown} resolved */
function isFromRegistry(resolved) {
  const url = typeof resolved === 'string' && URL.canParse(resolved) ? new URL(resolved) : undefined;
  if (url?.protocol !== 'https:' || url.username !== '' || url.password !== '') return false;
  // As registries lay packages out: <name>/-/<file>.tgz
  return /\/-\/[^/]+\.tgz$/.test(url.pathname);
}

/** @param {unknown} license an SPDX expression; of alternatives one permissive is enough */
function isPermissive(license) {
  if (typeof license !== 'string') return false;
  const choices = license.replace(/^\((.*)\)$/, '$1').split(' OR ');
  return choices.some((choice) => choice.split(' AND ').every((one) => PERMISSIVE.includes(one)));
}

/** How npm words that there is no such service, or no way to it. */
const NO_SERVICE = /\b(404|405|501)\b|ENOTFOUND|EAI_AGAIN|ECONNREFUSED|ECONNRESET|ENETUNREACH|EHOSTUNREACH|ETIMEDOUT/;

/**
 * What the answer of `npm audit --json` means: findings as lines, or why there is none. That it could not be asked is no
 * finding; that it went wrong is one.
 * @param {string} output
 * @returns {{ audited: boolean, refused: string[], noted: string[], why: string }}
 */
export function readAudit(output) {
  /** @type {{ vulnerabilities?: Record<string, { severity: string, range: string, via: unknown[] }>, error?: { summary?: string, code?: string }, message?: string }} */
  let answer;
  try {
    answer = JSON.parse(output);
  } catch {
    answer = { message: 'npm audit gave no JSON' };
  }
  if (!answer.vulnerabilities) {
    const [why = ''] = (answer.message || answer.error?.summary || 'npm audit gave no answer').split('\n');
    const wentWrong = !NO_SERVICE.test(`${why} ${answer.error?.code}`);
    return { audited: false, refused: wentWrong ? [`npm audit: ${why}`] : [], noted: [], why };
  }
  /** @type {string[]} */ const refused = [];
  /** @type {string[]} */ const noted = [];
  for (const [name, { severity, range, via }] of Object.entries(answer.vulnerabilities)) {
    const titles = via.map((one) => (typeof one === 'string' ? `by ${one}` : /** @type {any} */ (one).title));
    // A word that is not known is not harmless.
    const place = LEVELS.indexOf(severity);
    (place === -1 || place >= REFUSED_FROM ? refused : noted).push(
      `${name} ${range}: ${severity}: ${titles.join('; ')}`,
    );
  }
  return { audited: true, refused, noted, why: '' };
}

function main() {
  const folder = new URL('..', import.meta.url);
  const mistakes = lockFileMistakes(JSON.parse(readFileSync(new URL('package-lock.json', folder), 'utf8')));
  for (const mistake of mistakes) console.log(mistake);
  if (mistakes.length === 0)
    console.log('package-lock.json: hashes, sources, install scripts and licences are in order');
  const { stdout } = spawnSync('npm', ['audit', '--json', '--omit=dev'], {
    cwd: fileURLToPath(folder),
    encoding: 'utf8',
    timeout: LIMIT_MS,
    shell: process.platform === 'win32',
  });
  const { audited, refused, noted, why } = readAudit(stdout ?? '');
  for (const finding of [...refused, ...noted]) console.log(withoutPlace(finding));
  if (!audited)
    console.log(`known vulnerabilities: not audited, for the registry does not tell them (${withoutPlace(why)})`);
  else if (refused.length === 0)
    console.log('known vulnerabilities: none of moderate severity or more in what is shipped');
  process.exitCode = mistakes.length > 0 || refused.length > 0 ? 1 : 0;
}

/** Which registry a machine uses is nobody's business in a log. @param {string} text */
function withoutPlace(text) {
  return text.replace(/\bhttps?:\/\/\S+/g, 'its address');
}

if (process.argv[1] && import.meta.url === pathToFileURL(process.argv[1]).href) main();
