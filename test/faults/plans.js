// @ts-check
import * as injuries from './injuries.js';

/**
 * One kind of fault, and how it is brought about.
 * @typedef {object} Plan
 * @property {string} name
 * @property {'redis' | 'go_cache'} provider
 * @property {string} fault in words
 * @property {(field: import('./field.js').Field) => Promise<void>} [inject] does one fault; those that a process does to itself need none
 * @property {readonly [number, number]} [pause] milliseconds between two faults
 * @property {import('./servers.js').Wiring} [wiring]
 * @property {readonly string[]} [args] of redis-server
 * @property {number} [limit] of a command, in milliseconds
 * @property {readonly string[]} [codes] of errors, and of LockWarnings for them, that may be told beside those of every plan
 * @property {readonly string[]} [warnings] codes of LockWarnings that may come on top
 * @property {import('./field.js').Mood} [mood]
 * @property {boolean} [clock] the wall clock of the processes jumps
 * @property {'killed'} [ends] how processes end; by themselves unless told
 * @property {boolean} [tidy] not even a line may be left
 * @property {number} [slack] milliseconds for which a key may be free though somebody waits, where the processor is taken
 * @property {number} [keys]
 * @property {number} [waiters]
 * @property {number} [go] so many processes that lock as Go's mcube v2 does
 * @property {number} [weight] of its share of a long run
 * @property {number} [atLeast] seconds that it takes to show anything
 */

const PROVIDER = ['ERR_LOCK_PROVIDER'];
const POLLING = ['LOCK_POLLING'];
/** Of a command, where answers are kept back. */
const SHORT = 400;
const KEPT = ['--appendonly', 'yes', '--appendfsync', 'always'];
/** A server that speaks RESP2 alone: messages come on a connection of their own. */
const RESP2 = ['--rename-command', 'HELLO', ''];
/** Others are told soon that a script takes its time. */
const IMPATIENT = ['--busy-reply-threshold', '30'];

/** Everything after which exclusion still holds. */
const EVERYTHING = /** @type {const} */ ([
  [3, injuries.kill],
  [3, injuries.stop],
  [1, injuries.freeze],
  [1, injuries.restartKept],
  [1, injuries.readOnly],
  [1, injuries.outOfMemory],
  [1, injuries.slow],
  [2, injuries.flushScripts],
  [2, injuries.cutConnections],
  [2, injuries.deletedLine],
  [2, injuries.blackHole],
  [1, injuries.halfOpen],
  [2, injuries.late],
  [2, injuries.stranded],
  [2, injuries.lostReplies],
]);

/** What both connections of a process, that of its other thread too, have to live with. */
const CUT_OFF = /** @type {const} */ ([
  [2, injuries.stop],
  [1, injuries.kill],
  [2, injuries.cutConnections],
  [2, injuries.late],
  [2, injuries.lostReplies],
  [1, injuries.halfOpen],
]);

/** While slots move. */
const BESIDE_MOVES = /** @type {const} */ ([
  [6, injuries.moveSlot],
  [1, injuries.kill],
  [1, injuries.stop],
]);

/** @type {readonly Plan[]} */
const REDIS = [
  { name: 'none', fault: 'none', tidy: true },
  { name: 'kill', fault: 'holders and waiters killed with SIGKILL', inject: injuries.kill, pause: [200, 900] },
  {
    ...{ name: 'kill-all', fault: 'all processes killed at once', inject: injuries.killAll },
    ...{ pause: [900, 2_000], ends: 'killed', atLeast: 3 },
  },
  { name: 'expiry', fault: 'holds never given back', mood: { lingers: 0.2, plain: true }, waiters: 1 },
  { name: 'stop', fault: 'holders and waiters stopped for up to 2.7 ttl', inject: injuries.stop },
  { name: 'freeze', fault: 'Redis stopped and continued', inject: injuries.freeze, mood: { renews: 0.1 } },
  { name: 'restart-empty', fault: 'Redis killed, started without its data', inject: injuries.restartEmpty },
  {
    name: 'restart-kept',
    fault: 'Redis killed, started with its append-only file',
    inject: injuries.restartKept,
    args: KEPT,
  },
  { name: 'read-only', fault: 'Redis takes no writes for a while', inject: injuries.readOnly },
  { name: 'memory', fault: 'Redis out of memory for a while', inject: injuries.outOfMemory, codes: PROVIDER },
  { name: 'slow', fault: 'Redis paused, or busy with a script', inject: injuries.slow, args: IMPATIENT },
  { name: 'scripts', fault: 'scripts forgotten', inject: injuries.flushScripts, pause: [5, 60], tidy: true },
  { name: 'connections', fault: 'connections killed by the server', inject: injuries.cutConnections },
  { name: 'resp2', fault: 'the same, and the server speaks RESP2', inject: injuries.cutConnections, args: RESP2 },
  {
    name: 'black-hole',
    fault: 'network silent, then late or cut',
    inject: injuries.blackHole,
    wiring: 'proxied',
    limit: SHORT,
  },
  {
    name: 'half-open',
    fault: 'half of the connections gone',
    inject: injuries.halfOpen,
    wiring: 'proxied',
    limit: SHORT,
  },
  {
    name: 'late',
    fault: 'requests or replies late by up to 1.2 ttl',
    mood: { lingers: 0.3 },
    keys: 10,
    pause: [20, 150],
    inject: injuries.late,
    wiring: 'proxied',
  },
  {
    ...{ name: 'stranded', fault: 'requests of a broken connection arrive after those of the next one' },
    ...{ inject: injuries.stranded, wiring: 'proxied', pause: [20, 300], mood: { lingers: 0.02, refreshes: 0.5 } },
  },
  { name: 'lost-replies', fault: 'done, and the reply lost', inject: injuries.lostReplies, wiring: 'proxied' },
  {
    ...{ name: 'fail-over', fault: 'master killed, replica promoted by a sentinel', inject: injuries.failOver },
    // A sentinel tries again after twice its time for a fail-over.
    ...{ wiring: 'sentinel', limit: 10_000, pause: [7_000, 8_000], atLeast: 4 },
  },
  {
    name: 'switch-over',
    fault: 'master and replica change places',
    inject: injuries.switchOver,
    wiring: 'pair',
    atLeast: 3,
  },
  {
    ...{ name: 'slots', fault: 'slots of a Cluster move; half of the holds under one token of a process' },
    inject: (/** @type {import('./field.js').Field} */ field) => field.random.weighted(BESIDE_MOVES)(field),
    ...{ wiring: 'cluster', pause: [20, 300], keys: 8, waiters: 1, mood: { shares: 0.5, refreshes: 0.1 } },
  },
  { name: 'deleted', fault: 'lock, line or fence guard deleted', inject: injuries.deleted, mood: { renews: 0.05 } },
  { name: 'stolen', fault: 'lock overwritten by a stranger', inject: injuries.stolen },
  { name: 'wrong-type', fault: 'lock or line of a wrong type', inject: injuries.wrongType, codes: PROVIDER },
  {
    name: 'password',
    fault: 'wrong password for a while',
    inject: injuries.password,
    codes: PROVIDER,
    warnings: POLLING,
  },
  {
    ...{ name: 'permissions', fault: 'permissions missing for a while', inject: injuries.permissions },
    ...{ codes: PROVIDER, warnings: POLLING },
  },
  { name: 'aborts', fault: 'most waits aborted within 30 ms', mood: { aborts: 400 }, tidy: true },
  { name: 'exits', fault: 'processes exit while they hold', mood: { exits: 0.005 } },
  { name: 'clock', fault: 'wall clocks jump by up to a day', clock: true, tidy: true },
  { name: 'stalls', fault: 'event loops stand still for up to 2.7 ttl', mood: { stalls: 0.01 } },
  {
    ...{ name: 'thread', fault: 'the same in routines, which another thread renews' },
    mood: { thread: true, stalls: 0.05, renews: 0.1 },
  },
  {
    ...{ name: 'thread-cut', fault: 'the same, stopped, cut off, and answered late' },
    inject: (/** @type {import('./field.js').Field} */ field) => field.random.weighted(CUT_OFF)(field),
    ...{ wiring: 'proxied', limit: SHORT, mood: { thread: true, stalls: 0.02, renews: 0.1 } },
  },
  { name: 'go', fault: "Go's mcube v2 locks the same keys", go: 2, inject: injuries.kill, pause: [300, 900] },
  {
    ...{ name: 'yield', fault: 'the same, and hot keys are let be free for it' },
    ...{ go: 2, inject: injuries.kill, pause: [300, 900], mood: { yields: true } },
  },
  {
    ...{ name: 'everything', fault: 'all after which exclusion still holds' },
    inject: (/** @type {import('./field.js').Field} */ field) => field.random.weighted(EVERYTHING)(field),
    ...{ wiring: 'proxied', args: [...KEPT, ...IMPATIENT], limit: 1_000, codes: PROVIDER, go: 1, weight: 5 },
  },
].map((plan) => /** @type {Plan} */ ({ provider: 'redis', ...plan }));

/** @type {readonly Plan[]} */
const GO_CACHE = [
  { name: 'none', fault: 'none' },
  { name: 'stalls', fault: 'event loops stand still for up to 2.7 ttl', mood: { stalls: 0.01 } },
  { name: 'expiry', fault: 'holds never given back', mood: { lingers: 0.2, plain: true } },
  { name: 'stop', fault: 'processes stopped for up to 2.7 ttl', inject: injuries.stop },
  { name: 'aborts', fault: 'most waits aborted within 30 ms', mood: { aborts: 400 } },
  {
    name: 'load',
    fault: 'processor busy in every hold, and beside it',
    mood: { heavy: true },
    waiters: 30,
    slack: 5_000,
  },
  { name: 'exits', fault: 'processes exit while they hold', mood: { exits: 0.005 } },
  { name: 'clock', fault: 'wall clocks jump by up to a day', clock: true },
  {
    ...{ name: 'keys', fault: 'more keys than are remembered', mood: { roams: true } },
    ...{ keys: 30_000, waiters: 500, slack: 5_000 },
  },
].map((plan) => /** @type {Plan} */ ({ provider: 'go_cache', ...plan }));

/** What faults there are; a name is one provider's own. */
export const PLANS = [...REDIS, ...GO_CACHE];

/**
 * @param {string} provider every one if empty
 * @param {string} name every one if empty
 */
export function plansOf(provider, name) {
  return PLANS.filter((plan) => (!provider || plan.provider === provider) && (!name || plan.name === name));
}
