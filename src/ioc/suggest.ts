import { nearest } from '../loader/index.js';

/** `; did you mean "redis"?` when one of the words is near, and nothing otherwise. */
export function didYouMean(word: string, among: readonly string[]): string {
  const meant = nearest(word, among);
  return meant === undefined ? '' : `; did you mean "${meant}"?`;
}

/** The words as a message lists them. */
export function listed(words: readonly string[]): string {
  return words.length ? words.join(', ') : 'nothing';
}
