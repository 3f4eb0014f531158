/** The figures of one round of one contestant. */
export type Round = Readonly<Record<string, number>> | { readonly failed: string };

export interface Spread {
  readonly median: number;
  readonly min: number;
  readonly max: number;
}

/** The rounds of one contestant in one case of a scenario. */
export interface Figures {
  readonly rounds: Round[];
}

export function failed(round: Round): round is { readonly failed: string } {
  return typeof round['failed'] === 'string';
}

/** Over the rounds that did not fail; undefined when none has that figure. */
export function spread(rounds: readonly Round[], figure: string): Spread | undefined {
  const all = rounds.flatMap((round) => (failed(round) ? [] : (round[figure] ?? [])));
  const values = all.filter((value) => !Number.isNaN(value));
  return values.length === 0 ? undefined : spreadOf(values);
}

/** @param values one at least */
export function spreadOf(values: readonly number[]): Spread {
  return { median: quantile(Float64Array.from(values), 0.5), min: Math.min(...values), max: Math.max(...values) };
}

/** Sorts in place. */
export function quantile(values: Float64Array, q: number): number {
  if (values.length === 0) return NaN;
  values.sort();
  const at = (values.length - 1) * q;
  const below = values[Math.floor(at)]!;
  return below + (values[Math.ceil(at)]! - below) * (at - Math.floor(at));
}
