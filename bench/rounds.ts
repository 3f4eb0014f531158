import { setTimeout as sleep } from 'node:timers/promises';
import type { Contestant } from './contestants/index.js';
import type { Figures, Round } from './figures.js';
import type { Load } from './job.js';
import { measure } from './measure.js';
import { Worker } from './process.js';
import type { Case, LineScenario, LoadScenario, Scenario } from './scenarios.js';
import { commands, type Server } from './server.js';

export interface Settings {
  readonly seconds: number;
  readonly rounds: number;
  readonly quick: boolean;
}

/** The figures of each case, then of each contestant. */
export type Measured = Record<string, Record<string, Figures>>;

/** Runs a scenario: in each round every contestant once, each time another one first. */
export async function runScenario(
  scenario: Scenario,
  settings: Settings,
  server: Server,
  told: (line: string) => void,
): Promise<Measured> {
  const measured: Measured = {};
  const note = (name: string, { name: contestant }: Contestant, round: Round): void => {
    ((measured[name] ??= {})[contestant] ??= { rounds: [] }).rounds.push(round);
  };
  const { contestants } = scenario;
  for (let round = 0; round < settings.rounds; round += 1) {
    for (let turn = 0; turn < contestants.length; turn += 1) {
      const contestant = contestants[(turn + round) % contestants.length]!;
      told(`${scenario.name}: round ${round + 1} of ${settings.rounds}, ${contestant.name}`);
      if (scenario.kind === 'line') note('line', contestant, await runLine(scenario, contestant, settings, server));
      else await runLoads(scenario, contestant, settings, server, round, note);
    }
  }
  return measured;
}

async function runLoads(
  scenario: LoadScenario,
  contestant: Contestant,
  settings: Settings,
  server: Server,
  round: number,
  note: (name: string, contestant: Contestant, round: Round) => void,
): Promise<void> {
  const seconds = settings.seconds * scenario.stretch;
  const able = scenario.cases.filter((one) => !contestant.uncontendedOnly || !contended(scenario, one));
  const groups = scenario.apart ? able.map((one) => [one]) : [able];
  const redis = scenario.table === 'onRedis' ? server : undefined;
  const { warm } = scenario;
  for (const cases of groups) {
    // Whether two are inside at once, which an empty section cannot show, is looked at once, and apart from the speed.
    const looked = scenario.probe && round === 0 ? cases.filter((one) => contended(scenario, one)).map(probe) : [];
    const all = [...(warm ? [warm] : []), ...cases, ...looked];
    await withWorkers(scenario, contestant, server, all, note, async (workers, one) => {
      const length = looked.includes(one) ? Math.min(1, seconds) : seconds;
      const round = await measure(workers, one.load, length, contestant, redis);
      if (one !== warm) note(one.name, contestant, round);
    });
  }
}

function contended({ processes }: LoadScenario, { load }: Case): boolean {
  return load.waiters * processes > load.keys && !load.roam;
}

function probe({ name, load }: Case): Case {
  const visible: Load = { ...load, section: 'turn', stampEvery: 1, log: load.keys === 1 };
  return { name: `${name}: exclusion`, load: visible };
}

/** Opens the workers, does each case, and kills them; whatever goes wrong is the round's figure. */
async function withWorkers(
  scenario: LoadScenario,
  contestant: Contestant,
  server: Server,
  cases: readonly Case[],
  note: (name: string, contestant: Contestant, round: Round) => void,
  run: (workers: readonly Worker[], one: Case) => Promise<void>,
): Promise<void> {
  await server.clear();
  const job = { table: scenario.table, contestant: contestant.name, port: server.port };
  const opening = Array.from({ length: scenario.processes }, () => Worker.open(job));
  const opened = await Promise.allSettled(opening);
  const workers = opened.flatMap((one) => (one.status === 'fulfilled' ? one.value : []));
  const failure = opened.find((one) => one.status === 'rejected');
  let reason = failure ? messageOf(failure.reason) : undefined;
  for (const one of cases) {
    try {
      if (reason === undefined) await run(workers, one);
    } catch (error) {
      reason = messageOf(error);
    }
    if (reason !== undefined && one !== scenario.warm) note(one.name, contestant, { failed: reason });
  }
  await Promise.all(workers.map((worker) => worker.kill()));
}

async function runLine(
  scenario: LineScenario,
  contestant: Contestant,
  settings: Settings,
  server: Server,
): Promise<Round> {
  await server.clear();
  const job = { table: scenario.table, contestant: contestant.name, port: server.port };
  const workers: Worker[] = [];
  try {
    const holder = await Worker.open(job);
    workers.push(holder);
    const process = await Worker.open(job);
    workers.push(process);
    holder.tell({ type: 'hold', key: 'key:0' });
    await holder.hear('holding', 5_000);
    const before = await server.work();
    process.tell({ type: 'line', key: 'key:0', waiters: scenario.waiters });
    await process.hear('standing', 5_000);
    await sleep((settings.quick ? Math.min(1, scenario.held) : scenario.held) * 1_000);
    const waited = await server.work();
    const released = performance.now();
    holder.tell({ type: 'let go' });
    const { order, errors } = await process.hear('served', 60_000);
    const served = performance.now() - released;
    await holder.hear('let go', 5_000);
    // The last release may still be on its way.
    await sleep(50);
    const all = await server.work();
    return {
      commandsWaiting: commands(before, waited, contestant.inner),
      commandsAll: commands(before, all, contestant.inner),
      served,
      outOfTurn: order.filter((waiter, turn) => waiter !== turn).length,
      errors: errors.length,
    };
  } catch (error) {
    return { failed: messageOf(error) };
  } finally {
    await Promise.all(workers.map((worker) => worker.kill()));
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
