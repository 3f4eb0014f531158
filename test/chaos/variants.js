// @ts-check
import { cpSync, mkdirSync, mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/**
 * Promises of the built library, broken on purpose: a run that does not notice is no proof.
 * @type {Readonly<Record<string, readonly [file: string, from: string, to: string][]>>}
 */
export const VARIANTS = {
  // What a handed-over lease is worth is counted from the arrival of the message.
  arrival: [['store.js', 'const at = wait.earliest(message.time, arrival);', 'const at = arrival;']],
  // Whoever asks is given the key.
  everybody: [
    [
      'script.js',
      'local function refused(key, current, queue, entry)',
      'local function refused(key, current, queue, entry)\n  if math.random() < 2 then return fences(1) end',
    ],
  ],
  // A holder does not look whether its time is over.
  forever: [['store.js', 'return sent + ttl - DRIFT - ttl * DRIFT_RATE;', 'return sent + 2 * ttl;']],
  // Fences are the same for all hand-overs of a process.
  fence: [['store.js', 'fence: visit.next++', 'fence: visit.next']],
  // Nobody asks on his own.
  patient: [
    ['store.js', 'const SAFETY = 1_000;', 'const SAFETY = 60_000;'],
    ['store.js', 'Math.min(refusal.left + 1 + 2 * Math.random(), most', 'Math.min(60_000, most'],
  ],
  // A grant that nobody waits for any more is kept.
  keeper: [['store.js', 'this.#undoing.start(ask, async () => {', 'void (async () => {']],
};

/**
 * A copy of the built library with a promise broken.
 * @param {string} dist folder of the built library
 * @param {string} name
 * @param {string} under where packages are found by their names
 */
export function broken(dist, name, under) {
  const edits = VARIANTS[name];
  if (!edits) throw new Error(`--variant: found ${name}, expected one of ${Object.keys(VARIANTS).join(', ')}`);
  mkdirSync(under, { recursive: true });
  const folder = mkdtempSync(join(under, `chaos-${name}-`));
  cpSync(dist, folder, { recursive: true });
  for (const [file, from, to] of edits) {
    const path = join(folder, 'config/lock/provider/redis', file);
    const text = readFileSync(path, 'utf8');
    if (text.split(from).length !== 2) throw new Error(`${name}: the text to break is not once in ${file}:\n${from}`);
    writeFileSync(
      path,
      text.replace(from, () => to),
    );
  }
  return folder;
}
