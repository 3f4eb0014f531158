import { randomFillSync } from 'node:crypto';

/** Letters to be given out, four for each three bytes. */
const letters = Buffer.alloc(8_192);
const bytes = Buffer.alloc((letters.length / 4) * 3);
let used = letters.length;

/**
 * Text that nobody can guess: letters of base64url, each for 6 bits of the system's generator. That is asked for many at once:
 * asked for each text, it would cost more than all else that a wait does.
 * @param length from 1 to 8,192 letters
 */
export function randomText(length: number): string {
  if (used + length > letters.length) {
    randomFillSync(bytes);
    letters.write(bytes.toString('base64url'), 'latin1');
    bytes.fill(0);
    used = 0;
  }
  const end = used + length;
  const text = letters.toString('latin1', used, end);
  // A letter is used once: what was given out does not stay readable here.
  while (used < end) letters[used++] = 0;
  return text;
}
