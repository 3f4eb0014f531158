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
const STRANGERS = 'test/config/lock/provider/redis_strangers.test.ts';
const HOSTILE = 'test/config/lock/hostile.test.ts';
const YIELD = 'test/config/lock/provider/redis_yield.test.ts';
const SCRIPTED = 'test/config/lock/provider/redis_scripted.test.ts';
const WAITING = 'test/config/lock/provider/redis_waiting.test.ts';
const QUEUE = 'test/config/lock/queue.test.ts';
const DEADLOCK = 'test/config/lock/deadlock.test.ts';
const LEASE = 'test/config/lock/lease.test.ts';
const RENEWAL = 'test/config/lock/renewal.test.ts';
const THREAD = 'test/config/lock/renewal_thread.test.ts';
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
    from: 'if is_free(queue, current) or current == value then\n      -- Sent again',
    to: 'if true then\n      -- Sent again',
    tests: [REDIS],
  },
  {
    promise: "only the holder's token releases and refreshes",
    file: SCRIPT,
    from: "if redis.call('GET', key) ~= value then return 0 end\n  local entry",
    to: 'local entry',
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
    file: lock('refresh.ts'),
    from: 'if (lease.alive(performance.now())) return this.#move(',
    to: "if ((lease.state = 'held')) return this.#move(",
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
    from: 'fence: reply as number, until: this.deadline(wait.sent, wait.ask.ttl)',
    to: 'fence: reply as number, until: this.deadline(performance.now(), wait.ask.ttl)',
    tests: [REDIS],
  },
  {
    promise: 'an acquisition whose answer was lost is undone',
    file: lock('provider/redis/store.ts'),
    from: 'this.#undoing.start(ask, value, () =>',
    to: 'void (() =>',
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
    file: lock('routine.ts'),
    from: "  await giveBack(lock, end, 'is done');",
    to: '  await end();',
    tests: [MEMORY],
  },
  {
    promise: "run gives the routine's own error when both fail",
    file: lock('routine.ts'),
    from: "await giveBack(lock, end, 'failed', (why) => why === error);",
    to: 'await end();',
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
    from: ': this.#free(lease, undefined)));',
    to: ': true));',
    tests: [CONFIG, REDIS],
    only: 'stop releases|closing',
  },
  {
    promise: 'stop rejects every wait',
    file: lock('queues.ts'),
    from: '      if (known instanceof KeyQueue) known.rejectAll(this.#closed);\n',
    to: '',
    tests: [MEMORY],
    only: 'closing',
  },
  {
    promise: 'a held lock is never evicted, whatever the number of keys',
    file: lock('queues.ts'),
    from: 'else if (isFree(value[1], now)) this.#keys.delete(value[0]);',
    to: 'else this.#keys.delete(value[0]);',
    tests: [MEMORY, QUEUE],
  },
  {
    promise: 'keys that are neither held nor waited for are forgotten',
    file: lock('queues.ts'),
    from: 'if (known === undefined && this.#keys.size >= SWEEP_FROM) this.#sweep(now);',
    to: '',
    tests: [QUEUE],
  },
  {
    promise: 'held is right in the very next statement after a stall',
    file: lock('lease.ts'),
    from: "    if (now < this.until) return true;\n    this.lose(this.watcher?.atDeadline ?? 'expired');\n    return false;",
    to: "    setTimeout(() => this.lose('expired'), Math.max(0, this.until - now)).unref();\n    return true;",
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
    promise: 'a late answer to a refresh takes nothing from the next holder',
    file: lock('refresh.ts'),
    from: 'if (lease.lost) this.store.abandon(lease);',
    to: 'this.store.abandon(lease);',
    tests: [QUEUE],
  },
  {
    promise: 'renewal stops at maxHold',
    file: lock('renewal.ts'),
    from: 'const ttl = Math.min(one.life, Math.floor(one.end - now));',
    to: 'const ttl = one.life;',
    tests: [MEMORY, RENEWAL],
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
    from: 'if run.hand_on(key, queue, entry) then return 2 end',
    to: '',
    tests: [WAITING],
  },
  {
    promise: 'the entry of a dead process costs no time',
    file: SCRIPT,
    from: 'if channel and heard(channel) then',
    to: 'if channel then',
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
  {
    promise: 'a message takes nothing from a live hold',
    file: lock('provider/redis/store.ts'),
    from: 'if ((wait.visit?.holder?.until ?? -Infinity) > performance.now()) return;',
    to: '',
    tests: [STRANGERS],
  },
  {
    promise: 'a message whose name others may have heard is confirmed',
    file: lock('provider/redis/store.ts'),
    from: 'if (wait.overheard || until',
    to: 'if (until',
    tests: [STRANGERS],
  },
  {
    promise: 'the name of a wait cannot be guessed',
    file: lock('provider/redis/entry.ts'),
    from: 'return randomText(9);\n}\n\n/** What stands',
    to: "return 'A'.repeat(12);\n}\n\n/** What stands",
    tests: [STRANGERS],
  },
  {
    promise: 'the fence guard is not taken for a lock',
    file: lock('provider/redis/batch.ts'),
    from: 'if (key !== guard) return false;',
    to: 'if (guard) return false;',
    tests: [HOSTILE],
  },
  {
    promise: 'with yield, a hot key is let be free for clients that poll',
    file: SCRIPT,
    from: 'if first and first.ok then',
    to: 'if false then',
    tests: [YIELD],
  },
  {
    promise: 'with yield, who let a key be free has it handed on',
    file: lock('provider/redis/store.ts'),
    from: 'if (reply === 3 && !followed)',
    to: 'if (reply === 4 && !followed)',
    tests: [YIELD],
  },
  {
    promise: 'with yield, those in line go before a newcomer',
    file: SCRIPT,
    from: 'return not current and pause_of(queue) <= 0',
    to: 'return not current',
    tests: [YIELD],
  },
  {
    promise: 'assertHeld throws in the very next statement after a stall',
    file: lock('lock.ts'),
    from: 'if (!this.#held()) throw this.#lease?.lost ??',
    to: "if (this.#lease?.state !== 'held') throw this.#lease?.lost ??",
    tests: [MEMORY],
    only: 'assertHeld',
  },
  {
    promise: 'a lease that maxHold ended says so',
    file: lock('renewal.ts'),
    from: "one.atDeadline = 'maxHold';",
    to: '',
    tests: [RENEWAL],
  },
  {
    promise: 'a loss is told at the deadline of a refresh that nobody answered',
    file: lock('lease.ts'),
    from: 'this.watcher?.moved(this);',
    to: '',
    tests: [RENEWAL],
    only: 'a loss',
  },
  {
    promise: 'a renewal that stays unanswered does not block the next',
    file: lock('refresh.ts'),
    from: 'const before = way.manual === 0 ? undefined : way.tail;',
    to: 'const before = way.tail;',
    tests: [RENEWAL],
  },
  {
    promise: 'a late answer to a renewal counts from when it was asked',
    file: lock('refresh.ts'),
    from: 'Math.max(lease.until, Math.min(until, asked.until))',
    to: 'Math.max(lease.until, until)',
    tests: [RENEWAL],
  },
  {
    promise: 'leases that were taken at different moments are renewed together',
    file: lock('renewal.ts'),
    from: '|| (lives.has(one.life) && one.mayJoin(now))',
    to: '',
    tests: [RENEWAL],
  },
  {
    promise: 'retries of a renewal come after 50, 100, 200 ms',
    file: lock('renewal.ts'),
    from: 'FIRST_RETRY * 2 ** (one.failures - 1)',
    to: 'FIRST_RETRY * 2 ** one.failures',
    tests: [RENEWAL],
  },
  {
    promise: 'a busy event loop shows as lag of the renewals',
    file: lock('renewal.ts'),
    from: 'this.#lag = now - due;',
    to: 'this.#lag = 0 * due;',
    tests: [RENEWAL],
  },
  {
    promise: 'run does not pass a loss over',
    file: lock('routine.ts'),
    from: 'if (!isKnown(why)) process.emitWarning(',
    to: 'if (isKnown(why)) process.emitWarning(',
    tests: [MEMORY],
    only: 'scopes',
  },
  {
    promise: 'unlock rejects when a store throws',
    file: lock('queues.ts'),
    from: `    } catch (error) {
      return Promise.reject(error);
    }
  }

  #line`,
    to: `    } catch (error) {
      throw error;
    }
  }

  #line`,
    tests: [QUEUE],
  },
  {
    promise: 'a renewal survives a connection that died without a word',
    file: lock('provider/redis/batch.ts'),
    from: 'setImmediate(() => isSilent() && this.connection.drop()).unref();',
    to: 'setImmediate(() => isSilent()).unref();',
    tests: ['test/config/lock/provider/redis_renewal.test.ts'],
    only: 'died without a word',
  },
  {
    promise: 'once keeps the key for atLeast when its routine is done sooner',
    file: lock('lock.ts'),
    from: 'if (!lease || left === 0) return',
    to: 'if (lease || left === 0) return',
    tests: [MEMORY],
    only: 'once',
  },
  {
    promise: 'once holds for atMost and no longer',
    file: lock('factory.ts'),
    from: 'routine, { renew: false });',
    to: 'routine, { renew: true });',
    tests: [MEMORY],
    only: 'once',
  },
  {
    promise: 'closing leaves the key of once taken for the rest of atLeast',
    file: lock('queues.ts'),
    from: 'Promise.resolve(left > 0 ? ',
    to: 'Promise.resolve(left > left ? ',
    tests: [REDIS],
    only: 'closing',
  },
  {
    promise: 'with detectDeadlock a routine that waits for its own key is refused',
    file: lock('deadlock.ts'),
    from: 'lock?.key === key && lock.held',
    to: 'lock?.key === key && !lock.held',
    tests: [DEADLOCK],
  },
  {
    promise: 'what a routine leaves running is not inside it once it is done',
    file: lock('deadlock.ts'),
    from: '    scope.lock = undefined;\n',
    to: '    scope.lock = { key: scope.lock?.key, held: true } as Lock;\n',
    tests: [DEADLOCK],
  },
  {
    promise: 'contexts are followed only where detectDeadlock is asked for',
    file: lock('factory.ts'),
    from: 'if (!(options?.detectDeadlock ?? this.#terms.detectDeadlock)) return routine;',
    to: '',
    tests: [DEADLOCK],
  },
  {
    promise: 'stop waits for a release that is under way',
    file: lock('provider/redis/batch.ts'),
    from: 'if (this.#calls.length === 0 && this.#flights.size === 0) return;',
    to: 'if (this.#calls.length >= 0 && this.#flights.size >= 0) return;',
    tests: ['test/config/lock/stopping.test.ts'],
    only: 'leaves nothing on the server',
    built: true,
  },
  {
    promise: 'what was given up is not asked again behind its undoing',
    file: lock('provider/redis/store.ts'),
    from: 'const unsent = wait.question?.sent === 0;\n    this.#unask(wait);',
    to: 'const unsent = wait.question?.sent === 0;',
    tests: [SCRIPTED],
  },
  {
    promise: 'the fence guard does not run ahead of the clock',
    file: lock('provider/redis/fences.ts'),
    from: 'this.size = Math.max(LEAST, Math.min(this.size, all / 2));',
    to: 'this.size = MOST;',
    tests: [WAITING],
    only: 'a visit takes',
  },
  {
    promise: 'what was granted by message is not asked again behind it',
    file: lock('provider/redis/store.ts'),
    from: 'this.#visited(wait, message.fence, wait.block);\n    this.#unask(wait);',
    to: 'this.#visited(wait, message.fence, wait.block);',
    tests: [SCRIPTED],
  },
  {
    promise: 'a waiter whose grant came too late stands in line anew',
    file: lock('provider/redis/store.ts'),
    from: 'if (before && !before.over) return before;',
    to: 'if (before) return before;',
    tests: [SCRIPTED],
  },
  {
    promise: 'a grant that is confirmed has the fence of the confirmation',
    file: lock('provider/redis/store.ts'),
    from: 'wait.line?.grant({ granted: true, fence: reply, until',
    to: 'wait.line?.grant({ granted: true, fence: reply - 1_000, until',
    tests: [SCRIPTED],
  },
  {
    promise: 'a grant to an entry that was left behind goes back',
    file: lock('provider/redis/store.ts'),
    from: "this.#leave(wait);\n    if (wait.wid !== '') this.#remember(wait);\n    wait.visit",
    to: 'this.#leave(wait);\n    wait.visit',
    tests: [SCRIPTED],
  },
  {
    promise: 'a watch that is not answered holds nobody up',
    file: lock('provider/redis/store.ts'),
    from: 'Promise.race([watching, late])',
    to: 'Promise.race([watching])',
    tests: [SCRIPTED],
  },
  {
    promise: 'an obtain that was sent again leaves no entry in line',
    file: SCRIPT,
    from: "-- Sent again after a lost answer, it may stand in line already.\n      if entry ~= '' then redis.pcall('LREM', queue, 0, entry) end",
    to: '-- left in line',
    tests: [SCRIPTED],
  },
  {
    promise: 'while a refresh is not answered, the shorter of both lifetimes counts',
    file: lock('refresh.ts'),
    from: 'this.#move(lease, Math.min(lease.until, asked.until));',
    to: '',
    tests: [LEASE],
  },
  {
    promise: 'the clock of a lease is that of the model after a stall',
    file: lock('lease.ts'),
    from: 'if (now < this.until) return true;',
    to: 'if (now <= this.until + 1) return true;',
    tests: [LEASE],
  },
  {
    promise: 'a busy thread sees the deadlines that another thread has moved',
    file: lock('thread/renewer.ts'),
    from: 'this.cell.until = until;',
    to: 'void until;',
    tests: [THREAD],
  },
  {
    promise: 'a busy thread sees that a hold was taken',
    file: lock('thread/thread.ts'),
    from: 'if (!this.#cell.taken) return',
    to: 'if (this.#cell.held || this.#cell.taken) return',
    tests: [THREAD],
  },
  {
    promise: 'a token of the own application may be held again: nothing of it is undone',
    file: lock('thread/renewer.ts'),
    from: 'if (lost && shadow.unique)',
    to: 'if (lost)',
    tests: [THREAD],
  },
  {
    promise: 'without its thread a lease is renewed here, for the lifetime that was asked for last',
    file: lock('thread/thread.ts'),
    from: 'this.#local.refreshed(this.#life);',
    to: '',
    tests: [THREAD],
  },
];
