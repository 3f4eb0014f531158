// @ts-check

/**
 * @typedef {object} Row
 * @property {string} name
 * @property {string} flags what lock.pml is compiled with
 * @property {string} what
 * @property {string} [breaks] the promise that must be found broken; nothing may be when it is left out
 */

const COMPANY = '-DCOMPANY=1';
const COHORT = '-DTTL=5 -DWAITERS=2 -DBLOCK=3 -DCOHORT=1 -DCALLS=2';
const PASS = '-DTTL=5 -DWAITERS=2 -DBLOCK=2 -DCALLS=2';
const TURN = '-DNP=2 -DTIMED -DLOSSES -DABORTS';
const ORDER = '-DNP=2 -DTIMED -DORDER -DWAITERS=2 -DTTL=5';
const LATE = '-DLATE -DTTL=2 -DCALLS=2';
const LIVES = `${PASS} -DREFRESH -DSHORT=4`;
const STRANGERS = '-DBREAKS=0 -DSTRANGERS -DCALLS=2';
/** The ttl is longer than the bound of L3. */
const LONG_TTL = '-DTTL=6';

/** @type {readonly Row[]} Explored completely; no promise may be broken. */
export const CONFIGURATIONS = [
  {
    name: 'exclusion',
    flags: `${COMPANY} -DTTL=4 -DABORTS -DREFRESH -DLOSSES`,
    what: 'one process in any company; aborts, refreshes, lost messages, any delay',
  },
  {
    name: 'messages',
    flags: `${COMPANY} -DABORTS -DLOSSES -DMESSAGES=2`,
    what: 'two messages under way at one time, in any order',
  },
  { name: 'breaks', flags: `${COMPANY} -DBREAKS=0 -DCALLS=2`, what: 'the connection breaks again and again' },
  {
    name: 'breaks-aborts',
    flags: `${COMPANY} -DBREAKS=0 -DABORTS -DTTL=2 -DCALLS=2`,
    what: 'the same, and waiters give up',
  },
  { name: 'fences', flags: `${COMPANY} -DFENCES`, what: 'every fence is higher than the one before' },
  {
    name: 'cohort',
    flags: `${COMPANY} ${COHORT} -DFENCES`,
    what: 'hands are changed inside the process; blocks of fences',
  },
  {
    name: 'cohort-refresh',
    flags: `${COMPANY} ${PASS} -DCOHORT=1 -DREFRESH`,
    what: 'the same with refreshes, without fences',
  },
  {
    name: 'lives',
    flags: `${COMPANY} ${LIVES}`,
    what: 'refreshes for a shorter life, too, which are sent again after the unlock',
  },
  {
    name: 'strangers',
    flags: `${COMPANY} ${STRANGERS} -DABORTS -DTTL=2`,
    what: 'whoever heard a message repeats it as a new one; broken connections, waiters give up',
  },
  {
    name: 'yield',
    flags: `${COMPANY} -DYIELD -DABORTS -DREFRESH -DLOSSES`,
    what: 'releases let the lock be free for others, and questions are put off',
  },
  { name: 'turn', flags: `${TURN} -DCRASHES=1`, what: 'two processes in time; aborts, lost messages, a crash' },
  {
    name: 'turn-long',
    flags: `${TURN} -DCRASHES=1 ${LONG_TTL}`,
    what: 'the same with a longer ttl: what is given is taken, or given back, in time',
  },
  { name: 'turn-yield', flags: `${TURN} -DYIELD ${LONG_TTL}`, what: 'the same with yield, without a crash' },
  { name: 'turn-breaks', flags: '-DNP=2 -DTIMED -DBREAKS=1', what: 'two processes in time; a broken connection' },
  {
    name: 'turn-breaks-long',
    flags: `-DNP=2 -DTIMED -DBREAKS=1 ${LONG_TTL}`,
    what: 'the same with a longer ttl',
  },
  { name: 'order', flags: ORDER, what: 'two processes with two waiters each: nobody is overtaken twice' },
  { name: 'order-3', flags: '-DNP=3 -DTIMED -DORDER -DTTL=5', what: 'three processes, first come, first served' },
  {
    name: 'late-new-token',
    flags: `${COMPANY} ${LATE} -DBREAKS=2 -DNEW_TOKEN`,
    what: 'calls of two broken connections arrive later, one at one time; who begins anew has another token',
  },
];

/** @type {readonly Row[]} The same, but too large for every day: `npm run model -- --long`. */
export const LONG = [
  {
    name: 'late-two',
    flags: `${COMPANY} ${LATE} -DBREAKS=2 -DLATES=2 -DNEW_TOKEN`,
    what: 'calls of two broken connections arrive later, two at one time',
  },
];

/** @type {readonly Row[]} The protocol broken on purpose, and one limit of it: the named promise must be found broken. */
export const CONTROLS = [
  { name: 'arrival', flags: `${COMPANY} -DBUG_ARRIVAL`, breaks: 'S3', what: 'validity from the arrival of a message' },
  {
    name: 'arrival-overlap',
    flags: `${COMPANY} -DBUG_ARRIVAL -DWITHOUT_S3 -DWITHOUT_S9`,
    breaks: 'S1',
    what: 'the same: what follows is two holders',
  },
  { name: 'echo', flags: `${COMPANY} -DBUG_ECHO`, breaks: 'S9', what: 'an echo gives back what is held' },
  { name: 'no-timer', flags: `${TURN} -DBUG_NO_TIMER`, breaks: 'L1', what: 'who stands in line never asks again' },
  { name: 'publish-first', flags: `${COMPANY} -DBUG_PUBLISH_FIRST`, breaks: 'S8', what: 'PUBLISH before SET' },
  { name: 'keep', flags: `${ORDER} -DBUG_KEEP`, breaks: 'L2', what: 'who releases keeps it for its own next waiter' },
  { name: 'window', flags: `${COMPANY} ${PASS} -DBUG_WINDOW`, breaks: 'S6', what: 'hands change after the window' },
  {
    name: 'pass-late',
    flags: `${COMPANY} ${COHORT} -DBUG_PASS_LATE`,
    breaks: 'S6',
    what: 'hands change after the deadline',
  },
  {
    name: 'blind-release',
    flags: `${COMPANY} -DBUG_BLIND_RELEASE`,
    breaks: 'S5',
    what: 'a release does not compare the value',
  },
  {
    name: 'blind-refresh',
    flags: `${COMPANY} -DREFRESH -DBUG_BLIND_REFRESH`,
    breaks: 'S5',
    what: 'a refresh does not compare the value: a lost hold is there again',
  },
  {
    name: 'revive',
    flags: `${COMPANY} -DREFRESH -DBUG_REVIVE`,
    breaks: 'S10',
    what: 'a late answer revives a lost lease',
  },
  {
    name: 'fence-block',
    flags: `${COMPANY} ${COHORT} -DFENCES -DBUG_FENCE_BLOCK`,
    breaks: 'S4',
    what: 'the guard knows the first fence of a block alone',
  },
  { name: 'fence-same', flags: `${COMPANY} -DFENCES -DBUG_FENCE_SAME`, breaks: 'S4', what: 'fences do not grow' },
  {
    name: 'confirm-refreshes',
    flags: `${COMPANY} -DFENCES -DBUG_CONFIRM_REFRESHES`,
    breaks: 'S4',
    what: 'an old message is confirmed by a refresh and keeps its fence (mended, seen by the chaos runs)',
  },
  {
    name: 'late-refresh',
    flags: `${COMPANY} ${COHORT} -DREFRESH -DBUG_LATE_REFRESH -DBUG_PASS_ASKED`,
    breaks: 'S9',
    what: 'a refresh answered after the unlock is undone (mended, seen by the chaos runs)',
  },
  {
    name: 'pass-asked',
    flags: `${COMPANY} ${LIVES} -DBUG_PASS_ASKED`,
    breaks: 'S3',
    what: 'a hold goes on inside the process with a refresh on its way, which shortens the next lease (mended, found by reading)',
  },
  {
    name: 'stranger-takes',
    flags: `${COMPANY} ${STRANGERS} -DBUG_STRANGER_TAKES`,
    breaks: 'S9',
    what: 'a repeated message with a higher fence gives back what is held',
  },
  {
    name: 'overheard',
    flags: `${COMPANY} ${STRANGERS} -DBUG_OVERHEARD`,
    breaks: 'S3',
    what: 'a message whose name others may have heard is believed',
  },
  {
    name: 'blind-yield',
    flags: `${COMPANY} -DYIELD -DBUG_BLIND_YIELD`,
    breaks: 'S5',
    what: 'a release that lets the lock be free does not compare the value',
  },
  {
    name: 'pause-stays',
    flags: `${TURN} -DYIELD ${LONG_TTL} -DBUG_PAUSE_STAYS`,
    breaks: 'L1',
    what: 'the time for which the lock is let be free has no end',
  },
  {
    name: 'no-timer-long',
    flags: `${TURN} ${LONG_TTL} -DBUG_NO_TIMER`,
    breaks: 'L3',
    what: "who stands in line never asks again: a grant whose message is lost is nobody's",
  },
  {
    name: 'no-resend',
    flags: `-DNP=2 -DTIMED -DBREAKS=1 ${LONG_TTL} -DBUG_NO_RESEND`,
    breaks: 'L3',
    what: 'an unlock whose connection broke is not sent again',
  },
  {
    name: 'cancel-leaves-lock',
    flags: `${TURN} ${LONG_TTL} -DBUG_CANCEL_LEAVES_LOCK`,
    breaks: 'L3',
    what: 'who gives up leaves the line, but not the lock',
  },
  {
    name: 'dead-receiver',
    flags: `${TURN} -DCRASHES=1 -DBUG_DEAD_RECEIVER`,
    breaks: 'L5',
    what: 'who hands on does not look whether anybody received it',
  },
  { name: 'twice', flags: `${COMPANY} -DBUG_TWICE`, breaks: 'S7', what: 'an echo is taken for a grant' },
  {
    name: 'late-same-token',
    flags: `${COMPANY} ${LATE} -DBREAKS=1`,
    breaks: 'S3',
    what: 'who begins anew keeps its token: a cancel of a broken connection takes what it holds (mended, found by this model)',
  },
];
