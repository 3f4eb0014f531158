/** `; did you mean "redis"?` when one of the words is near, and nothing otherwise. */
export function didYouMean(word: string, among: readonly string[]): string {
  const ranked = among.map((other) => ({ other, edits: edits(word.toLowerCase(), other.toLowerCase()) }));
  const best = ranked.sort((a, b) => a.edits - b.edits)[0];
  return best && best.edits <= Math.ceil(word.length / 3) ? `; did you mean "${best.other}"?` : '';
}

/** The words as a message lists them. */
export function listed(words: readonly string[]): string {
  return words.length ? words.join(', ') : 'nothing';
}

/** Letters to insert, delete or replace between two words. */
function edits(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, i) => i);
  for (const [i, letter] of [...a].entries()) {
    const next = [i + 1];
    for (const [j, other] of [...b].entries()) {
      next.push(Math.min(next[j]! + 1, row[j + 1]! + 1, row[j]! + (letter === other ? 0 : 1)));
    }
    row = next;
  }
  return row[b.length]!;
}
