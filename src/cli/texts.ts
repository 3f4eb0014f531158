import { ioc } from 'mcube-lock';
import { durationText } from '../duration.js';
import type { Key, Section } from './sections.js';

const WIDTH = 118;

const DURATIONS = 'Durations are written "500ms", "10s", "1m30s".';

/** What people look for in the file, beside the sentence of the key. */
const NOTES: Readonly<Record<string, string>> = {
  'lock.provider': 'Changing this one word to "redis" moves the locks to Redis.',
};

/** A TOML file with every key and a sentence each; `etc/application.toml` is this text. */
export function tomlFile(sections: readonly Section[], prefix: string): string {
  const head = comment(
    'The configuration, every key at its default; `mcube-lock config --toml` prints it. It is read from ' +
      'etc/application.toml. What .env or the environment gives wins, such as ' +
      `${ioc.envName('lock', 'provider', prefix)}=redis. ${DURATIONS}`,
  );
  return [head, ...sections.map(tomlSection)].join('\n');
}

/** A `.env` file with every variable and a sentence each; `.env.example` is this text. */
export function envFile(sections: readonly Section[], prefix: string): string {
  const head = comment(
    'The configuration as environment variables, every one at its default; `mcube-lock config --env` prints it. Copied ' +
      'to .env it is read from there, and wins over etc/application.toml: keep what you want to change, and delete the ' +
      'rest. Empty means not set. ' +
      DURATIONS,
  );
  return [head, ...sections.map((section) => envSection(section, prefix))].join('\n');
}

/** What is in effect, as TOML, with the source of each value. */
export function effectiveText(sections: readonly Section[]): string {
  return sections.map(effectiveSection).join('\n');
}

/** A value as TOML writes it. */
export function tomlValue(value: unknown, kind: string): string {
  if (Array.isArray(value)) return `[${value.map((item) => tomlValue(item, kind.replace('list of ', ''))).join(', ')}]`;
  if (kind === 'duration') return quoted(durationWord(value));
  return typeof value === 'string' ? quoted(value) : String(value);
}

/** A value as a line of `.env` writes it, in quotes where it needs them. */
export function envValue(value: unknown, kind: string): string {
  if (Array.isArray(value)) return envText(value.join(','));
  return envText(kind === 'duration' ? durationWord(value) : String(value));
}

function tomlSection({ name, keys }: Section): string {
  const lines = keys.map((key) => `${about(name, key)}${key.key} = ${tomlValue(key.value, key.kind)}\n`);
  return `[${name}]\n${lines.join('\n')}`;
}

function envSection({ name, keys }: Section, prefix: string): string {
  const lines = keys.map(
    (key) => `${about(name, key)}${ioc.envName(name, key.key, prefix)}=${envValue(key.value, key.kind)}`,
  );
  return `${lines.join('\n')}\n`;
}

function effectiveSection({ name, keys }: Section): string {
  const values = keys.map(({ key, value, kind }) => `${key} = ${tomlValue(value, kind)}`);
  const width = Math.max(...values.map((text) => text.length));
  const lines = values.map((text, i) => `${text.padEnd(width)}  # ${keys[i]!.source}\n`);
  return `[${name}]\n${lines.join('')}`;
}

function about(section: string, { key, about, bounds }: Key): string {
  const note = NOTES[`${section}.${key}`];
  return comment(bounds === '' ? about : `${about} (${bounds})`) + (note === undefined ? '' : comment(note));
}

/** Lines of a comment, broken between words. */
function comment(text: string): string {
  const lines = [''];
  for (const word of text.split(' ')) {
    if (`${lines.at(-1)} ${word}`.length > WIDTH) lines.push('');
    lines[lines.length - 1] += ` ${word}`;
  }
  return lines.map((line) => `#${line}\n`).join('');
}

function durationWord(value: unknown): string {
  return typeof value === 'number' ? durationText(value) : 'none';
}

/** JSON's escapes are TOML's, but for characters that only TOML, and a terminal, want escaped. */
function quoted(text: string): string {
  return JSON.stringify(text).replace(/[\u007f-\u009f]/g, (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, '0')}`);
}

function envText(text: string): string {
  if (/^[\w.:/@,[\]+-]*$/.test(text)) return text;
  const quote = ["'", '"', '`'].find((mark) => !text.includes(mark)) ?? '"';
  return `${quote}${text}${quote}`;
}
