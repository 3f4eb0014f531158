// @ts-check
// Loaded before a process (`node --import`): its wall clock jumps back and forth by up to a day, some fifty times a second.
// The monotonic clock is left alone. `jumps` of the global below tells how often.
const EVERY_MS = 20;
const DAY = 86_400_000;

const Real = Date;
const state = { jumps: 0 };
let offset = 0;
setInterval(jump, EVERY_MS).unref();
jump();

function jump() {
  offset = Math.round((Math.random() * 2 - 1) * DAY);
  state.jumps += 1;
}

function jumped() {
  return Real.now() + offset;
}

globalThis.Date = new Proxy(Real, {
  construct: (target, args, newTarget) => Reflect.construct(target, args.length === 0 ? [jumped()] : args, newTarget),
  apply: () => new Real(jumped()).toString(),
  get: (target, name) => (name === 'now' ? jumped : Reflect.get(target, name)),
});
/** @type {any} */ (globalThis).wallClock = state;
