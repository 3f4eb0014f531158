/** What settles a promise. */
export type Settle = (outcome: unknown) => void;

/** The two ends of the promise that was made last: handed over here, no wait needs a closure to get at them. */
export const settlers: { resolve: Settle; reject: Settle } = {
  resolve: nothing,
  reject: nothing,
};

/** Makes a promise that leaves its ends in `settlers`, when `new Promise` is given this. */
export function keepSettlers(resolve: Settle, reject: Settle): void {
  settlers.resolve = resolve;
  settlers.reject = reject;
}

/** To be called when they were taken, so that the promise is not kept in memory. */
export function letSettlersGo(): void {
  settlers.resolve = settlers.reject = nothing;
}

function nothing(): void {}
