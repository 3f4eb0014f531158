/**
 * Every promise of the locks, and an edit of the source that breaks it: some test must fail then. `npm run test:broken`
 * makes each edit in a copy and sees to it.
 *
 * promise  what is promised
 * file     the source that keeps it
 * from/to  the edit: `from` stands in the file exactly once
 * tests    the test files that are to notice; `only` narrows them to titles
 */
const lock = (file) => `src/config/lock/${file}`;
const MEMORY = 'test/config/lock/provider/go_cache.test.ts';
const REDIS = 'test/config/lock/provider/redis.test.ts';
const WIRE = 'test/config/lock/provider/redis_wire.test.ts';
const FAULTS = 'test/config/lock/provider/redis_faults.test.ts';
const WAITING = 'test/config/lock/provider/redis_waiting.test.ts';
const QUEUE = 'test/config/lock/queue.test.ts';
const CONFIG = 'test/config/lock/config.test.ts';
const SCRIPT = lock('provider/redis/script.ts');

export const BROKEN = [
  {
    promise: 'one holder at a time, in memory',
    file: lock('queue.ts'),
    from: 'return this.holder !== undefined && this.holder.alive(now);',
    to: 'return false;',
    tests: [MEMORY],
  },
  {
    promise: 'one holder at a time, on redis',
    file: SCRIPT,
    from: 'if not current or current == value then\n    -- Sent again',
    to: 'if true then\n    -- Sent again',
    tests: [REDIS],
  },
  {
    promise: "only the holder's token releases and refreshes",
    file: SCRIPT,
    from: "if redis.call('GET', key) ~= value then return 0 end\n  return let_go(key, queue)",
    to: 'return let_go(key, queue)',
    tests: [WIRE],
  },
  {
    promise: "a stale owner's unlock and refresh reject and change nothing",
    file: lock('lease.ts'),
    from: "if (this.state !== 'held') return false;\n    if (now < this.until) return true;",
    to: "if (this.state !== 'held') return false;\n    return true;",
    tests: [MEMORY],
  },
  {
    promise: 'refresh never brings a lost lock back to life',
    file: lock('queues.ts'),
    from: '} else if (lease.alive(performance.now())) {',
    to: "} else if ((lease.state = 'held')) {",
    tests: [QUEUE],
  },
  {
    promise: 'refresh uses the ttl it is given',
    file: lock('lock.ts'),
    from: 'await this.#queues.refresh(lease, ms);',
    to: 'await this.#queues.refresh(lease, this.ttl + 0 * ms);',
    tests: [MEMORY],
  },
  {
    promise: 'lock() on an object that holds, and two calls at once, reject at once',
    file: lock('lock.ts'),
    from: '    this.#refuseIfBusy();\n',
    to: '',
    tests: [MEMORY],
    only: 'wrong use',
  },
  {
    promise: 'waiters are served first come, first served',
    file: lock('waiter.ts'),
    from: `    waiter.previous = this.#tail;
    if (this.#tail) this.#tail.next = waiter;
    else this.head = waiter;
    this.#tail = waiter;`,
    to: `    waiter.next = this.head;
    if (this.head) this.head.previous = waiter;
    else this.#tail = waiter;
    this.head = waiter;`,
    tests: [MEMORY],
    only: 'waiters of one process',
  },
  {
    promise: "an aborted wait rejects with the signal's reason",
    file: lock('waiter.ts'),
    from: 'this.reject(this.terms.signal?.reason);',
    to: "this.reject(new Error('aborted'));",
    tests: [MEMORY],
  },
  {
    promise: 'an aborted wait never takes the lock later',
    file: lock('queue.ts'),
    from: `    this.#chain.remove(waiter);
    // A question on its way`,
    to: '    // A question on its way',
    tests: [MEMORY, QUEUE],
  },
  {
    promise: 'an aborted wait leaves no trace',
    file: lock('queue.ts'),
    from: `    if (waiter === this.#asking || waiter.attempts > 0) this.store.abandon(waiter.lease);
    this.serve();`,
    to: '    this.serve();',
    tests: [QUEUE],
  },
  {
    promise: 'wait is independent of ttl',
    file: lock('waiter.ts'),
    from: 'this.#armEnd(this.terms.wait);',
    to: 'this.#armEnd(Math.min(this.terms.wait, this.lease.ttl));',
    tests: [MEMORY],
  },
  {
    promise: 'a lease is counted from before the request was sent',
    file: lock('provider/redis/store.ts'),
    from: 'fence: reply as number, until: this.deadline(sent, ask.ttl)',
    to: 'fence: reply as number, until: this.deadline(performance.now() + 20, ask.ttl)',
    tests: [REDIS],
  },
  {
    promise: 'an acquisition whose answer was lost is undone',
    file: lock('provider/redis/store.ts'),
    from: 'this.#undoing.start(ask, async () => {',
    to: 'void (async () => {',
    tests: [FAULTS],
  },
  {
    promise: 'the wall clock is never used for a duration',
    file: lock('lock.ts'),
    from: `    const lease = this.#held();
    return lease ? Math.max(0, lease.until - performance.now()) : 0;`,
    to: `    const lease = this.#held();
    return lease ? Math.max(0, lease.until - (Date.now() - performance.timeOrigin)) : 0;`,
    tests: [MEMORY],
  },
  {
    promise: 'losing, not obtaining, being unreachable and wrong use are different errors',
    file: lock('queue.ts'),
    from: 'if (silent && !this.held(now))',
    to: 'if (false)',
    tests: [QUEUE],
  },
  {
    promise: "run gives the routine's value even when the release fails",
    file: lock('factory.ts'),
    from: 'await lock.unlock().catch((error: Error) => warn(lock.key, error));',
    to: 'await lock.unlock();',
    tests: [MEMORY],
  },
  {
    promise: "run gives the routine's own error when both fail",
    file: lock('factory.ts'),
    from: 'await lock.unlock().catch(() => undefined);',
    to: 'await lock.unlock();',
    tests: [MEMORY],
  },
  {
    promise: 'no timer outlives its use: a program whose work is done ends by itself',
    file: lock('renewal.ts'),
    from: '    this.#timer.unref();\n',
    to: '',
    tests: [CONFIG],
    only: 'ends by itself on',
    built: true,
  },
  {
    promise: 'no socket outlives its use',
    file: lock('provider/redis/client.ts'),
    from: "stream?.[alive ? 'ref' : 'unref']();",
    to: "stream?.[alive ? 'ref' : 'ref']();",
    tests: [CONFIG],
    only: 'on redis by one variable',
    built: true,
  },
  {
    promise: 'no listener outlives its use',
    file: lock('waiter.ts'),
    from: '    if (this.#end) clearTimeout(this.#end);\n',
    to: '',
    tests: [QUEUE],
  },
  {
    promise: 'stop releases every lock that is held',
    file: lock('queues.ts'),
    from: 'answers.push(Promise.resolve(this.store.release(lease)));',
    to: '',
    tests: [CONFIG, REDIS],
    only: 'stop releases|closing',
  },
  {
    promise: 'stop rejects every wait',
    file: lock('queues.ts'),
    from: '      queue.rejectAll(this.#closed);\n',
    to: '',
    tests: [MEMORY],
    only: 'closing',
  },
  {
    promise: 'a held lock is never evicted, whatever the number of keys',
    file: lock('queues.ts'),
    from: 'else if (value[1].free(now)) this.#queues.delete(value[0]);',
    to: 'else this.#queues.delete(value[0]);',
    tests: [MEMORY, QUEUE],
  },
  {
    promise: 'keys that are neither held nor waited for are forgotten',
    file: lock('queues.ts'),
    from: 'if (this.#queues.size >= SWEEP_FROM) this.#sweep(now);',
    to: '',
    tests: [QUEUE],
  },
  {
    promise: 'held is right in the very next statement after a stall',
    file: lock('lease.ts'),
    from: '    if (now < this.until) return true;\n    this.lose(this.atDeadline);\n    return false;',
    to: '    setTimeout(() => this.lose(this.atDeadline), Math.max(0, this.until - now)).unref();\n    return true;',
    tests: [MEMORY],
  },
  {
    promise: "the signal's aborted is right in the very next statement after a stall",
    file: lock('signal.ts'),
    from: 'void this.#lease?.alive(performance.now());',
    to: 'undefined;',
    tests: [MEMORY],
  },
  {
    promise: 'a normal unlock does not abort the signal',
    file: lock('lock.ts'),
    from: "    lease.state = 'releasing';\n",
    to: "    lease.lose('expired');\n    lease.state = 'releasing';\n",
    tests: [MEMORY],
  },
  {
    promise: 'the fence grows with each acquisition, in memory',
    file: lock('provider/go_cache.ts'),
    from: 'return ++lastFence;',
    to: 'return lastFence;',
    tests: [MEMORY],
  },
  {
    promise: 'the fence grows with each acquisition, on redis',
    file: SCRIPT,
    from: "last = math.max(now() - 1, tonumber(redis.call('GET', guard) or 0))",
    to: "last = tonumber(redis.call('GET', guard) or 0) - 300",
    tests: [REDIS, WAITING],
  },
  {
    promise: 'the fence of a single try grows beyond the guard, whatever the clock',
    file: SCRIPT,
    from: 'if before >= fence then fence = before + 1 end',
    to: '',
    tests: [WIRE],
  },
  {
    promise: 'a late answer to a refresh takes nothing from the next holder',
    file: lock('queues.ts'),
    from: "} else if (lease.state === 'lost') {",
    to: '} else {',
    tests: [QUEUE],
  },
  {
    promise: 'renewal stops at maxHold',
    file: lock('renewal.ts'),
    from: 'const ttl = Math.min(lease.life, left);',
    to: 'const ttl = left - left + lease.life;',
    tests: [MEMORY],
  },
  {
    promise: 'strategies are stateless, so that locks may share one',
    file: lock('retry.ts'),
    from: 'return { next: (attempt) => (attempt <= retries ? inner.next(attempt) : 0) };',
    to: 'let count = 0;\n  return { next: (attempt) => (++count <= retries ? inner.next(attempt) : 0) };',
    tests: ['test/config/lock/retry.test.ts'],
  },
  {
    promise: 'default tokens are random, and told from those of Go',
    file: lock('lease.ts'),
    from: 'return text.slice(0, -1) + String.fromCharCode(text.charCodeAt(BYTES + 5) + 1);',
    to: 'return text;',
    tests: [MEMORY],
  },
  {
    promise: 'on redis a lock is the token followed by the metadata',
    file: lock('lease.ts'),
    from: 'return this.token + this.metadata;',
    to: 'return `${this.token}:${this.metadata}`;',
    tests: [WIRE],
  },
  {
    promise: 'NOSCRIPT is survived',
    file: lock('provider/redis/connection.ts'),
    from: "if (!(error instanceof Error && error.message.startsWith('NOSCRIPT'))) throw error;",
    to: 'throw error;',
    tests: [WIRE],
    only: 'forgot',
  },
  {
    promise: 'an unreachable provider is told within the limit of a command',
    file: lock('provider/redis/batch.ts'),
    from: 'if (flight.started <= late) this.#gaveUp(flight);',
    to: 'if (flight.started <= late - 60_000) this.#gaveUp(flight);',
    tests: [FAULTS],
    only: 'unreachable server',
  },
  {
    promise: 'secrets never appear in an error or its cause',
    file: lock('provider/redis/client.ts'),
    from: 'return Object.assign(bare, { name: first.name,',
    to: 'return Object.assign(bare, first, { name: first.name,',
    tests: [FAULTS],
    only: 'wrong password',
  },
  {
    promise: 'a lease that was handed over is counted from when it was given, not from when that was heard',
    file: lock('provider/redis/wait.ts'),
    from: 'return this.sample && Math.min(arrival, server + (this.sample.sent - this.sample.server));',
    to: 'return this.sample && arrival;',
    tests: [WAITING],
  },
  {
    promise: 'whoever releases hands the key to the next process in line, in one step',
    file: SCRIPT,
    from: 'if hand_on(key, queue) then return 2 end',
    to: '',
    tests: [WAITING],
  },
  {
    promise: 'the entry of a dead process costs no time',
    file: SCRIPT,
    from: 'if told ~= 0 then return true end',
    to: 'if told then return true end',
    tests: [WAITING],
  },
  {
    promise: 'nothing depends on a message arriving',
    file: lock('provider/redis/store.ts'),
    from: 'const SAFETY: Milliseconds = 1_000;',
    to: 'const SAFETY: Milliseconds = 60_000;',
    tests: [WAITING],
    only: 'lost message',
  },
  {
    promise: 'other processes are asked for before a hold goes on inside a process for long',
    file: lock('provider/redis/store.ts'),
    from: 'const COHORT: Milliseconds = 10;',
    to: 'const COHORT: Milliseconds = 100_000;',
    tests: [WAITING],
    only: 'hands on inside no longer',
  },
  {
    promise: 'custom tokens and metadata stay right on the wire after hand-overs inside a process',
    file: lock('provider/redis/store.ts'),
    from: 'if (!from.plain || !to.plain ||',
    to: 'if (',
    tests: [WAITING],
    only: 'right on the wire',
  },
  {
    promise: 'the release of a Go service is noticed within milliseconds',
    file: lock('provider/redis/store.ts'),
    from: 'return foreign === 1 && wait.listening ? this.#watch(wait, refusal)',
    to: 'return foreign === 2 && wait.listening ? this.#watch(wait, refusal)',
    tests: [WAITING],
    only: 'Go service, which tells nobody',
  },
];
