/** The two ends of the promise that was made last: handed over here, no wait needs a closure to get at them. */
export const settlers: { resolve: (value: unknown) => void; reject: (reason: unknown) => void } = {
  resolve: () => undefined,
  reject: () => undefined,
};

/** Makes a promise that leaves its ends in `settlers`, when `new Promise` is given this. */
export function keepSettlers(resolve: (value: unknown) => void, reject: (reason: unknown) => void): void {
  settlers.resolve = resolve;
  settlers.reject = reject;
}
