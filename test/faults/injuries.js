// @ts-check
// What is done to processes, servers and the network: each resolves when it is over, and writes down what it excuses.
import { setTimeout as sleep } from 'node:timers/promises';
import { HOST } from '../support/redis_process.js';
import { now } from './diary.js';
import { until, USER } from './servers.js';

/** @typedef {import('./field.js').Field} Field */
/** @typedef {import('./servers.js').Node} Node */

/** Clients open their connections again after pauses of half a second at most. */
const AGAIN = 700;
/** A server that is down, silent or forbids something is so for this time at most. */
const OUTAGE = 1_200;

/** A process is killed, and another comes. @param {Field} field */
export async function kill(field) {
  const member = field.random.one(field.alive);
  if (!member) return;
  const from = now();
  field.kill(member);
  // Behind a network that fails, a dead process may be given a key once more.
  field.trouble(from, field.longest * (field.net.wiring === 'proxied' ? 3 : 1), 'kill');
  await field.start(member.kind);
}

/** All processes are killed at once, and as many come. @param {Field} field */
export async function killAll(field) {
  const from = now();
  const { alive } = field;
  alive.forEach((member) => field.kill(member));
  for (const { kind } of alive) await field.start(kind);
  field.trouble(from, field.longest, 'kill all');
}

/** A process stands still, often for longer than a ttl; others are done something to meanwhile. @param {Field} field */
export async function stop(field) {
  if (field.members.filter(({ stopped }) => stopped).length >= 2) return;
  const member = field.random.one(field.alive);
  if (!member) return;
  const length = field.random.between(0.2, 2.7) * field.ttl;
  const from = now();
  member.stopped = true;
  member.child.kill('SIGSTOP');
  /** @type {[number, number]} */ const stop = [from, from + length];
  member.stops.push(stop);
  // What was given to it, or done by it, before it could tell, may last for a ttl, but not beside a hold.
  const trouble = { from, to: from + length, allows: field.longest, what: `stop ${Math.round(length)}` };
  field.troubles.push(trouble);
  const over = sleep(length).then(() => {
    member.child.kill('SIGCONT');
    stop[1] = now();
    trouble.to = stop[1];
    member.stopped = false;
  });
  field.under.push(over);
}

/** @param {Field} field */
export async function freeze(field) {
  const from = now();
  field.net.master.signal('SIGSTOP');
  await sleep(field.random.between(50, OUTAGE));
  field.net.master.signal('SIGCONT');
  field.trouble(from, now() - from, 'freeze');
}

/** Killed, and started without what it knew. @param {Field} field */
export async function restartEmpty(field) {
  const from = now();
  await restart(field, from);
  field.lost(from);
}

/** Killed, and started with what it knew. @param {Field} field */
export async function restartKept(field) {
  await restart(field, now());
}

/** @param {Field} field @param {number} from */
async function restart(field, from) {
  const { master } = field.net;
  await master.kill();
  await sleep(field.random.between(0, 600));
  await master.start();
  field.trouble(from, now() - from + AGAIN, 'restart');
}

/** The server becomes a replica of nobody, which takes no writes, and a master again. @param {Field} field */
export async function readOnly(field) {
  const from = now();
  await field.admin.call('REPLICAOF', HOST, '1');
  await sleep(field.random.between(50, 700));
  await field.admin.call('REPLICAOF', 'NO', 'ONE');
  field.trouble(from, now() - from + AGAIN, 'read-only');
}

/** @param {Field} field */
export async function outOfMemory(field) {
  const from = now();
  await field.admin.config('SET', 'maxmemory', '1');
  await sleep(field.random.between(50, 700));
  await field.admin.config('SET', 'maxmemory', '0');
  // What could not be written may have been a hand-over.
  field.trouble(from, now() - from + field.longest, 'out of memory');
}

// Some nanoseconds for each round.
const BUSY = `for _ = 1, tonumber(ARGV[1]) do end`;

/** The server answers nobody for a while, or runs a script of somebody else. @param {Field} field */
export async function slow(field) {
  const ms = Math.round(field.random.between(20, 500));
  const from = now();
  if (field.random.chance(0.5)) await field.admin.eval(BUSY, 0, ms * 100_000);
  else {
    await field.admin.client('PAUSE', ms, 'ALL');
    await sleep(ms);
  }
  field.trouble(from, now() - from, 'slow');
}

/** @param {Field} field */
export async function flushScripts(field) {
  await field.admin.script('FLUSH');
}

/** Connections that listen, or all others. @param {Field} field */
export async function cutConnections(field) {
  const from = now();
  await field.admin.call('CLIENT', 'KILL', 'TYPE', field.random.one(['pubsub', 'normal']));
  field.trouble(from, 0, 'connections');
}

/** Nothing comes or goes, for one process or for all; what was held arrives late, or never. @param {Field} field */
export async function blackHole(field) {
  const from = now();
  const proxies = some(field);
  for (const proxy of proxies) proxy.hold();
  await sleep(field.random.between(0.2, 2.2) * field.limit);
  const late = field.random.chance(0.5);
  for (const proxy of proxies) {
    if (!late) proxy.cut();
    proxy.release();
  }
  field.trouble(from, now() - from + AGAIN + field.longest, 'black hole');
}

/** Connections break, and what had been sent on them arrives later than what is sent on the next ones. @param {Field} field */
export async function stranded(field) {
  const from = now();
  const proxies = some(field);
  for (const proxy of proxies) proxy.hold();
  await sleep(field.random.between(2, 80));
  const deliveries = proxies.map((proxy) => proxy.strand());
  await sleep(field.random.between(0.02, 1.5) * field.ttl);
  for (const deliver of deliveries) deliver();
  field.trouble(from, now() - from + AGAIN + field.longest, 'stranded');
}

/** One half of the connections of a process is gone, and the other half does not know. @param {Field} field */
export async function halfOpen(field) {
  const from = now();
  const side = field.random.one(/** @type {const} */ (['client', 'server']));
  for (const proxy of some(field)) proxy.halve(side);
  await sleep(field.random.between(50, 400));
  // Silence is noticed at the second unanswered command.
  field.trouble(from, 2 * field.limit + AGAIN + field.longest, `half open, ${side}`);
}

/** Requests or replies come late, by most of a ttl or more. @param {Field} field */
export async function late(field) {
  const from = now();
  const proxies = some(field);
  const ms = field.random.between(0.05, 1.2) * field.ttl;
  const delay = field.random.chance(0.7) ? { replies: ms } : { requests: ms };
  for (const proxy of proxies) proxy.delay(delay);
  await sleep(field.random.between(0.5, 2) * field.ttl);
  for (const proxy of proxies) proxy.delay({});
  field.trouble(from, now() - from + 2 * ms + field.longest, 'late');
}

/** The server does what it is asked and nobody is told: for a while, or once. @param {Field} field */
export async function lostReplies(field) {
  const from = now();
  const proxies = some(field);
  if (field.random.chance(0.5)) for (const proxy of proxies) proxy.cutAtReply();
  else {
    for (const proxy of proxies) proxy.swallow();
    await sleep(field.random.between(10, 500));
    for (const proxy of proxies) proxy.cut();
  }
  field.trouble(from, now() - from + AGAIN + field.longest, 'lost replies');
}

/** The network of one process, sometimes of all. @param {Field} field */
function some(field) {
  const { proxies } = field.net;
  const open = proxies.filter(({ links }) => links > 0);
  return field.random.chance(0.25) ? open : [field.random.one(open)].filter(Boolean);
}

/** The master is killed, the sentinel promotes the replica, and the old master comes back as its replica. @param {Field} field */
export async function failOver(field) {
  const { net } = field;
  const from = now();
  await net.master.kill();
  await net.failedOver();
  field.lost(from);
  net.promoted();
  field.trouble(from, now() - from + AGAIN + field.longest, 'fail-over');
  await net.replica.start(['--replicaof', HOST, String(net.master.port)]);
  await net.inStep();
}

/** Master and replica change places; nothing is lost, for the master waits until the replica has it all. @param {Field} field */
export async function switchOver(field) {
  const { net } = field;
  const from = now();
  await net.master.admin.call('FAILOVER', 'TO', HOST, String(net.replica.port), 'TIMEOUT', '5000');
  await until('the replica is master', async () => String((await net.replica.admin.role())[0]) === 'master');
  net.promoted();
  field.trouble(from, now() - from + AGAIN, 'switch-over');
  await net.inStep();
}

/**
 * The slot of a key goes to another master, in its own time. In half of the cases who had it stands still before it hears of that, and
 * meanwhile another slot moves between the two others, of which clients hear at once.
 * @param {Field} field
 */
export async function moveSlot(field) {
  const { net, random } = field;
  const from = now();
  const all = await Promise.all(field.keys.map((key) => net.ownerOf(key)));
  const moved = random.one(all);
  const beside = all.find(({ slot, owner }) => slot !== moved.slot && owner !== moved.owner);
  const targets = net.nodes.filter((node) => node !== moved.owner);
  const pause = () => sleep(random.one([0, 0, random.between(1, 20), random.between(20, 300)]));
  const still = async () => {
    moved.owner.signal('SIGSTOP');
    // It ends once that node goes on, for it is told at last.
    const another = beside && net.moveSlot(beside, /** @type {Node} */ (targets.find((node) => node !== beside.owner)));
    await sleep(random.between(20, 600));
    moved.owner.signal('SIGCONT');
    await another;
  };
  await net.moveSlot(moved, random.one(targets), pause, random.chance(0.5) ? still : pause);
  // Who asks waits until it has moved; what was done meanwhile may last for a ttl.
  field.trouble(from, now() - from + AGAIN + field.longest, 'slot moved');
}

/** Somebody deletes the lock, the line of those who wait, or the guard of the fences. @param {Field} field */
export async function deleted(field) {
  const key = field.random.one(field.keys);
  const from = now();
  const which = field.random.one([key, `${key}:~q`, 'mlk:fence']);
  await field.admin.del(which);
  if (which === key) field.lost(from, key);
  field.trouble(from, 0, 'deleted', key);
}

/** Somebody deletes the line of those who wait. @param {Field} field */
export async function deletedLine(field) {
  const key = field.random.one(field.keys);
  const from = now();
  await field.admin.del(`${key}:~q`);
  field.trouble(from, 0, 'deleted line', key);
}

/** Somebody who knows nothing of us writes over the lock. @param {Field} field */
export async function stolen(field) {
  const key = field.random.one(field.keys);
  const ttl = Math.round(field.random.between(20, 600));
  const from = now();
  await field.admin.set(key, 'a stranger', 'PX', ttl);
  await sleep(field.random.chance(0.5) ? ttl : 0);
  field.lost(from, key);
  field.troubles.push({ from, to: from + ttl, allows: ttl, what: 'stolen', key });
}

/** The lock is a list, or the line of those who wait is a text, until somebody deletes it. @param {Field} field */
export async function wrongType(field) {
  const key = field.random.one(field.keys);
  const line = field.random.chance(0.5);
  const name = line ? `${key}:~q` : key;
  const from = now();
  await field.admin.multi().del(name).exec();
  if (line) await field.admin.set(name, 'a text');
  else await field.admin.multi().del(name).rpush(name, 'a list').exec();
  await sleep(field.random.between(20, 300));
  await field.admin.del(name);
  if (!line) field.lost(from, key);
  field.trouble(from, now() - from + field.longest, 'wrong type', key);
}

/** The password is another one for a while, and everybody must connect anew. @param {Field} field */
export async function password(field) {
  const from = now();
  await field.admin.call('ACL', 'SETUSER', USER.username, 'resetpass', '>other');
  await field.admin.call('CLIENT', 'KILL', 'USER', USER.username);
  await sleep(field.random.between(50, 500));
  await field.admin.call('ACL', 'SETUSER', USER.username, 'resetpass', `>${USER.password}`);
  field.trouble(from, now() - from + AGAIN, 'password');
}

/** Something is forbidden for a while. @param {Field} field */
export async function permissions(field) {
  const from = now();
  const less = [['-evalsha', '-eval'], ['-publish'], ['resetchannels'], ['resetkeys', '~other:*'], ['-set', '-del']];
  await field.admin.call('ACL', 'SETUSER', USER.username, ...field.random.one(less));
  await sleep(field.random.between(50, 500));
  await field.admin.call('ACL', 'SETUSER', USER.username, 'resetkeys', '~*', 'resetchannels', '&*', '+@all');
  // What was refused may have been an unlock.
  field.trouble(from, now() - from + AGAIN + field.longest, 'permissions');
}
