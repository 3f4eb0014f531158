import { setTimeout as sleep } from 'node:timers/promises';
import type { Contestant } from './contestants/index.js';
import type { Figures, Round } from './figures.js';
import type { Load } from './job.js';
import { figuresOf, sample, type Sample } from './measure.js';
import { Team } from './process.js';
import type { Case, CrowdScenario, LineScenario, LoadScenario, Scenario } from './scenarios.js';
import { commands, type Server } from './server.js';

export interface Settings {
  readonly seconds: number;
  readonly rounds: number;
  readonly quick: boolean;
}

/** The figures of each case, then of each contestant. */
export type Measured = Record<string, Record<string, Figures>>;

type Note = (name: string, contestant: Contestant, round: Round) => void;

/** Runs a scenario: in each round every contestant once, each time another one first. */
export async function runScenario(
  scenario: Scenario,
  settings: Settings,
  server: Server,
  told: (line: string) => void,
): Promise<Measured> {
  const measured: Measured = {};
  const note: Note = (name, { name: contestant }, round) => {
    ((measured[name] ??= {})[contestant] ??= { rounds: [] }).rounds.push(round);
  };
  for (let round = 0; round < settings.rounds; round += 1) {
    const tell = (what: string): void => told(`${scenario.name}: round ${round + 1} of ${settings.rounds}, ${what}`);
    const contestants = from(scenario.contestants, round);
    if (scenario.kind === 'load' && scenario.parts > 1) {
      await runLoads(scenario, contestants, settings, server, round, note, tell);
      continue;
    }
    for (const contestant of contestants) {
      tell(contestant.name);
      if (scenario.kind === 'line') note('line', contestant, await runLine(scenario, contestant, settings, server));
      else if (scenario.kind === 'crowd') note('crowd', contestant, await runCrowd(scenario, contestant, server));
      else await runLoads(scenario, [contestant], settings, server, round, note, () => undefined);
    }
  }
  return measured;
}

/** The loads of one round, of all these contestants at once. */
async function runLoads(
  scenario: LoadScenario,
  contestants: readonly Contestant[],
  settings: Settings,
  server: Server,
  round: number,
  note: Note,
  tell: (what: string) => void,
): Promise<void> {
  const seconds = settings.seconds * scenario.stretch;
  const redis = scenario.table === 'onRedis' ? server : undefined;
  const { warm } = scenario;
  const groups = scenario.apart ? scenario.cases.map((one) => [one]) : [scenario.cases];
  for (const cases of groups) {
    await server.clear();
    const teams = await Promise.all(contestants.map((contestant) => Team.open(scenario, contestant, server.port)));
    if (warm) await takeTurns(teams, warm.load, seconds, 1, redis);
    for (const one of cases) {
      if (contestants.length > 1) tell(one.name);
      const able = teams.filter(({ contestant }) => !contestant.uncontendedOnly || !contended(scenario, one));
      const rounds = await takeTurns(able, one.load, seconds, scenario.parts, redis);
      able.forEach(({ contestant }, at) => note(one.name, contestant, rounds[at]!));
      // Whether two are inside at once, which an empty section cannot show, is looked at once, and apart from the speed.
      if (!scenario.probe || round > 0 || !contended(scenario, one)) continue;
      const { name, load } = probe(one);
      const looked = await takeTurns(able, load, Math.min(1, seconds), 1, redis);
      able.forEach(({ contestant }, at) => note(name, contestant, looked[at]!));
    }
    await Promise.all(teams.map((team) => team.kill()));
  }
}

/**
 * So many seconds of one load for each team, in parts between those of the others: what disturbs the machine for a while meets
 * them all. Whatever goes wrong for one is its figure, from then on.
 */
async function takeTurns(
  teams: readonly Team[],
  load: Load,
  seconds: number,
  parts: number,
  server: Server | undefined,
): Promise<Round[]> {
  const samples = new Map<Team, Sample[]>(teams.map((team) => [team, []]));
  for (let part = 0; part < parts; part += 1) {
    for (const team of from(teams, part)) {
      if (team.failure !== undefined) continue;
      try {
        samples.get(team)!.push(await sample(team.workers, load, seconds / parts, part === 0, server));
      } catch (error) {
        team.failure = messageOf(error);
      }
    }
  }
  return teams.map((team) =>
    team.failure === undefined ? figuresOf(samples.get(team)!, load, team.contestant) : { failed: team.failure },
  );
}

/** The same list, from the one at that place on. */
function from<T>(list: readonly T[], place: number): T[] {
  const first = place % list.length;
  return [...list.slice(first), ...list.slice(0, first)];
}

function contended({ processes }: LoadScenario, { load }: Case): boolean {
  return load.waiters * processes > load.keys && !load.roam;
}

function probe({ name, load }: Case): Case {
  const visible: Load = { ...load, section: 'turn', stampEvery: 1, log: load.keys === 1 };
  return { name: `${name}: exclusion`, load: visible };
}

async function runLine(
  scenario: LineScenario,
  contestant: Contestant,
  settings: Settings,
  server: Server,
): Promise<Round> {
  await server.clear();
  const team = await Team.open({ table: scenario.table, processes: 2 }, contestant, server.port);
  const [holder, process] = team.workers;
  try {
    if (!holder || !process) return { failed: team.failure ?? 'no processes' };
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
    await team.kill();
  }
}

async function runCrowd(scenario: CrowdScenario, contestant: Contestant, server: Server): Promise<Round> {
  const team = await Team.open({ table: scenario.table, processes: 1 }, contestant, server.port);
  const [worker] = team.workers;
  try {
    if (!worker) return { failed: team.failure ?? 'no process' };
    worker.tell({ type: 'crowd', keys: scenario.keys, waiters: scenario.waiters });
    const { bytes } = await worker.hear('weighed', 60_000);
    return { bytes };
  } catch (error) {
    return { failed: messageOf(error) };
  } finally {
    await team.kill();
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
