import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { barChart, type Bar, type Panel } from './chart.js';
import { failed, spread } from './figures.js';
import { isSound } from './ratios.js';
import type { Results } from './results.js';
import { digits } from './tables.js';

interface PanelOf {
  readonly scenario: string;
  readonly case: string;
  readonly figure: string;
  readonly title: string;
  /** Contestants that the figure is right for; all when left out. */
  readonly only?: readonly string[];
}

interface ChartOf {
  readonly file: string;
  readonly title: string;
  readonly panels: readonly PanelOf[];
}

const WAKING = ['mcube-lock', 'simple-redis-mutex', 'publish and retry'];

const CHARTS: readonly ChartOf[] = [
  {
    file: 'bench-uncontended.svg',
    title: 'Locks on Redis that nobody else wants: acquire and release',
    panels: ['1 key', '64 keys', '256 keys', '1024 keys'].map((keys) => ({
      scenario: 'uncontended',
      case: keys,
      figure: 'acquisitions',
      title: `${keys}${keys === '1 key' ? ', one after the other' : ' at once'}: pairs per second`,
    })),
  },
  {
    file: 'bench-contended.svg',
    title: 'One key on Redis that 32 waiters want, empty section',
    panels: [
      ['one-process', '32 waiters', 'handOvers', 'in one process: hand-overs to another waiter per second'],
      ['one-process', '32 waiters', 'acquisitions', 'in one process: acquisitions per second'],
      ['across-empty', '8 waiters', 'handOvers', 'in 4 processes: hand-overs to another waiter per second'],
      ['across-empty', '8 waiters', 'acquisitions', 'in 4 processes: acquisitions per second'],
    ].map(panel),
  },
  {
    file: 'bench-waits.svg',
    title: 'One key on Redis, 32 waiters in 4 processes, section of 1 ms',
    panels: [
      ['across-1ms', '8 waiters', 'acquisitions', 'acquisitions per second'],
      ['across-1ms', '8 waiters', 'waitP99', 'wait of the unlucky, p99, in ms (less is better)'],
      ['across-1ms', '8 waiters', 'commands', 'commands per acquisition (less is better)'],
    ].map(panel),
  },
  {
    file: 'bench-waking.svg',
    title: 'Being woken',
    panels: [
      {
        ...panel([
          'hand-over',
          '1 waiter that rests',
          'latencyP50',
          'one hand-over between processes, p50, in ms (less is better)',
        ]),
        only: WAKING,
      },
      panel(['line', 'line', 'commandsAll', '100 waiters behind one holder: commands in all (less is better)']),
    ],
  },
  {
    file: 'bench-memory.svg',
    title: 'Locks in memory: acquire and release',
    panels: ['1 key', '10,000 keys', '1 key, 100 waiters', '1,000 keys, 10 waiters each'].map((load) => ({
      scenario: 'memory',
      case: load,
      figure: 'acquisitions',
      title: `${load}: pairs per second`,
    })),
  },
];

function panel([scenario, one, figure, title]: readonly string[]): PanelOf {
  return { scenario: scenario!, case: one!, figure: figure!, title: title! };
}

/** Draws what there are figures for. */
export function drawCharts(results: Results, folder: string): string[] {
  const drawn: string[] = [];
  for (const { file, title, panels } of CHARTS) {
    const kept = panels.map(({ scenario }) => results[scenario]);
    if (kept.some((one) => !one)) continue;
    const { rounds, node, redis } = kept[0]!.about;
    const server = kept[0]!.contestants.some(({ kind }) => kind === 'reference');
    const with_ = `Node ${node}${server ? `, Redis ${redis}` : ''}`;
    const subtitle = `Median of ${rounds} rounds, least to most as a line; ${with_}, one machine`;
    writeFileSync(
      join(folder, file),
      barChart(
        title,
        subtitle,
        panels.map((one) => panelOf(results, one)),
      ),
    );
    drawn.push(file);
  }
  return drawn;
}

function panelOf(results: Results, { scenario, case: name, figure, title, only }: PanelOf): Panel {
  const kept = results[scenario]!;
  const bars = kept.contestants
    .filter((one) => !only || only.includes(one.name))
    .map(({ name: contestant, kind }): Bar => {
      const rounds = kept.cases[name]?.[contestant]?.rounds ?? [];
      const found = spread(rounds, figure);
      const shown = kind === 'ours' || kind === 'peer' ? kind : 'mark';
      if (!found) return { label: contestant, kind: shown, median: 0, min: 0, max: 0, text: 'failed' };
      const fault = faultOf(kept.cases, name, contestant) || (isSound(kept, name, contestant) ? '' : ', see text');
      return { label: contestant, kind: shown, ...found, text: `${digits(found.median)}${fault}` };
    });
  return { title, bars };
}

/** In two words, what a bar must not hide. */
function faultOf(cases: Results[string]['cases'], name: string, contestant: string): string {
  const rounds = cases[name]?.[contestant]?.rounds ?? [];
  const all = [...rounds, ...(cases[`${name}: exclusion`]?.[contestant]?.rounds ?? [])];
  if ((spread(all, 'overlaps')?.max ?? 0) > 0) return ', not exclusive';
  if (rounds.some(failed)) return `, failed in ${rounds.filter(failed).length} of ${rounds.length}`;
  const starved = spread(rounds, 'starved')?.median ?? 0;
  return starved > 0 ? `, ${digits(Math.round(starved))} waiters starve` : '';
}
