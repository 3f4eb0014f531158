import { randomFillSync } from 'node:crypto';

/**
 * Letters of base64url to be given out, four for each three bytes. A text keeps in memory what was made with it, so that it
 * is not more; and not less, for each time that the generator is asked costs as much as giving out a hundred texts.
 */
const MADE = 4_096;
const bytes = Buffer.alloc((MADE / 4) * 3);
let letters = '';
let used = MADE;

/**
 * Text that nobody can guess: letters of base64url, each for 6 bits of the system's generator. That is asked for many at once:
 * asked for each text, it would cost more than all else that a wait does.
 * @param length from 1 to 4,096 letters
 */
export function randomText(length: number): string {
  if (used + length > MADE) {
    letters = randomFillSync(bytes).toString('base64url');
    used = 0;
  }
  const from = used;
  used += length;
  return letters.slice(from, used);
}
