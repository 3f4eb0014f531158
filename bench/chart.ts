/** One bar: a median, and how far the rounds went. */
export interface Bar {
  readonly label: string;
  /** `ours` stands out; what is no lock library is hollow. */
  readonly kind: 'ours' | 'peer' | 'mark';
  readonly median: number;
  readonly min: number;
  readonly max: number;
  readonly text: string;
}

export interface Panel {
  readonly title: string;
  readonly bars: readonly Bar[];
}

const WIDTH = 760;
const LABELS = 210;
const VALUES = 200;
const ROW = 24;
const BAR = 14;
const HEAD = 64;
const PANEL_HEAD = 34;
const PANEL_GAP = 14;

// Drawn on nothing, so that the page's own background shows; both sets of colours keep text readable on theirs.
const STYLE = `
    text { font: 13px system-ui, -apple-system, "Segoe UI", Roboto, sans-serif; fill: #24292f; }
    .title { font-size: 16px; font-weight: 600; }
    .panel { font-weight: 600; }
    .soft { fill: #57606a; }
    .own { font-weight: 600; }
    .ours { fill: #0a66c2; }
    .peer { fill: #8c959f; }
    .mark { fill: none; stroke: #8c959f; stroke-dasharray: 3 2; }
    .axis, .range { stroke: #57606a; }
    @media (prefers-color-scheme: dark) {
      text { fill: #e6edf3; }
      .soft { fill: #9ea7b3; }
      .ours { fill: #58a6ff; }
      .peer { fill: #6e7681; }
      .mark { stroke: #8b949e; }
      .axis, .range { stroke: #adbac7; }
    }`;

/** Bars from zero, on one straight scale in each panel. */
export function barChart(title: string, subtitle: string, panels: readonly Panel[]): string {
  let y = HEAD;
  const parts: string[] = [];
  for (const panel of panels) {
    parts.push(drawPanel(panel, y));
    y += PANEL_HEAD + panel.bars.length * ROW + PANEL_GAP;
  }
  const described = panels
    .map((panel) => `${panel.title}: ${panel.bars.map(({ label, text }) => `${label} ${text}`).join(', ')}.`)
    .join(' ');
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${y}" width="${WIDTH}" height="${y}" role="img" aria-labelledby="title about">
  <title id="title">${escape(title)}</title>
  <desc id="about">${escape(described)}</desc>
  <style>${STYLE}
  </style>
  <text class="title" x="0" y="22">${escape(title)}</text>
  <text class="soft" x="0" y="44">${escape(subtitle)}</text>
${parts.join('\n')}
</svg>
`;
}

function drawPanel({ title, bars }: Panel, top: number): string {
  const longest = Math.max(...bars.map(({ max }) => max));
  const scale = (value: number): number => Number(((value / longest) * (WIDTH - LABELS - VALUES)).toFixed(1));
  const rows = bars.map((bar, at) => drawBar(bar, top + PANEL_HEAD + at * ROW, scale));
  const bottom = top + PANEL_HEAD + bars.length * ROW - (ROW - BAR) / 2 + 2;
  return [
    `  <text class="panel" x="0" y="${top + 20}">${escape(title)}</text>`,
    ...rows,
    `  <line class="axis" x1="${LABELS}" x2="${LABELS}" y1="${top + PANEL_HEAD - 5}" y2="${bottom}"/>`,
  ].join('\n');
}

function drawBar(bar: Bar, top: number, scale: (value: number) => number): string {
  const middle = top + BAR / 2;
  const end = LABELS + Math.max(scale(bar.median), 1);
  const from = LABELS + scale(bar.min);
  const to = LABELS + scale(bar.max);
  const own = bar.kind === 'ours' ? ' class="own"' : '';
  const range = to - from >= 1 ? `<path class="range" d="M${from} ${middle}H${to}"/>` : '';
  return (
    `  <text${own} x="${LABELS - 8}" y="${middle + 4.5}" text-anchor="end">${escape(bar.label)}</text>` +
    `<rect class="${bar.kind}" x="${LABELS}" y="${top}" width="${(end - LABELS).toFixed(1)}" height="${BAR}"/>${range}` +
    `<text${own} x="${(Math.max(end, to) + 7).toFixed(1)}" y="${middle + 4.5}">${escape(bar.text)}</text>`
  );
}

function escape(text: string): string {
  return text.replace(/&/g, '&amp;').replace(/</g, '&lt;').replace(/>/g, '&gt;');
}
