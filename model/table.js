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
const LATE = '-DBREAKS=1 -DLATE -DTTL=2 -DCALLS=2';

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
  { name: 'turn', flags: `${TURN} -DCRASHES=1`, what: 'two processes in time; aborts, lost messages, a crash' },
  { name: 'turn-breaks', flags: '-DNP=2 -DTIMED -DBREAKS=1', what: 'two processes in time; a broken connection' },
  { name: 'order', flags: ORDER, what: 'two processes with two waiters each: nobody is overtaken twice' },
  { name: 'order-3', flags: '-DNP=3 -DTIMED -DORDER -DTTL=5', what: 'three processes, first come, first served' },
  {
    name: 'late-new-token',
    flags: `${COMPANY} ${LATE} -DNEW_TOKEN`,
    what: 'calls of a broken connection arrive later; who begins anew has another token',
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
    flags: `${COMPANY} ${COHORT} -DREFRESH -DBUG_LATE_REFRESH`,
    breaks: 'S9',
    what: 'a refresh answered after the unlock is undone (mended, seen by the chaos runs)',
  },
  {
    name: 'cancel-leaves-lock',
    flags: `${TURN} -DBUG_CANCEL_LEAVES_LOCK -DTTL=8`,
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
    flags: `${COMPANY} ${LATE}`,
    breaks: 'S3',
    what: 'who begins anew keeps its token: a cancel of a broken connection takes what it holds (mended, found by this model)',
  },
];
