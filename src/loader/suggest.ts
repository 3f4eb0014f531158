import { distance } from 'fastest-levenshtein';

/** The word that was probably meant, of those there are; undefined when none is near. */
export function nearest(word: string, among: readonly string[]): string | undefined {
  const others = among.filter((other) => other !== word);
  const same = others.find((other) => bare(other) === bare(word));
  if (same !== undefined) return same;
  const ranked = others.map((other) => ({ other, edits: edits(word.toLowerCase(), other.toLowerCase()) }));
  const best = ranked.sort((a, b) => a.edits - b.edits)[0];
  return best && best.edits <= Math.max(1, Math.floor(word.length / 3)) ? best.other : undefined;
}

/** Whether a section name is a slip of the other, which has four letters or more: another case, or one edit behind the first letter. */
export function isSlip(word: string, of: string): boolean {
  if (word === of) return false;
  if (word.toLowerCase() === of.toLowerCase()) return true;
  // A slip at the first letter is rare, and `clock` is a word.
  return word[0] === of[0] && of.length >= 4 && edits(word, of) === 1;
}

/** Insertions, deletions, replacements; two neighbours swapped count as one. */
function edits(a: string, b: string): number {
  const plain = distance(a, b);
  return plain === 2 && isSwap(a, b) ? 1 : plain;
}

function isSwap(a: string, b: string): boolean {
  const at = [...a].findIndex((letter, i) => letter !== b[i]);
  return a.slice(0, at) + a[at + 1] + a[at] + a.slice(at + 2) === b;
}

function bare(word: string): string {
  return word.toLowerCase().replace(/[-_]/g, '');
}
