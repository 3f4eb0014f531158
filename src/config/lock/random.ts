import { randomFillSync } from 'node:crypto';

const pool = Buffer.allocUnsafe(4_096);
let used = pool.length;

/**
 * Text that nobody can guess, of the system's generator: `bytes` random bytes in base64url, unpadded. The generator is asked
 * for many at once: asked for each text, it would cost more than all else that a wait does.
 * @param bytes from 1 to 4,096
 */
export function randomText(bytes: number): string {
  if (used + bytes > pool.length) {
    randomFillSync(pool);
    used = 0;
  }
  const text = pool.toString('base64url', used, used + bytes);
  // A byte is used once: what was given out does not stay readable in the pool.
  pool.fill(0, used, used + bytes);
  used += bytes;
  return text;
}
