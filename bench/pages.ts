import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { ratiosOf } from './ratios.js';
import type { Results } from './results.js';
import { asMarkdown, tablesOf } from './tables.js';

/** Puts the tables between the page's markers, `<!-- bench NAME -->` and `<!-- end -->`; the rest stays as it is. */
export function fillPage(file: string, results: Results): void {
  if (!existsSync(file)) return;
  const page = readFileSync(file, 'utf8');
  const filled = page.replace(
    /(<!-- bench (\S+) -->\n)[^]*?(<!-- end -->)/g,
    (all, begin: string, name: string, end: string) => {
      const text = name === 'about' ? aboutText(results) : scenarioText(name, results);
      return text === undefined ? all : `${begin}\n${text}\n\n${end}`;
    },
  );
  if (filled !== page) writeFileSync(file, filled);
}

function scenarioText(name: string, results: Results): string | undefined {
  const kept = results[name];
  if (!kept) return undefined;
  const { date, rounds, seconds } = kept.about;
  const measured = `${kept.title}. Measured on ${date}, ${rounds} rounds, ${seconds} s at least each.`;
  const tables = tablesOf(name, kept).map((table) => `${table.title ? `${table.title}:\n\n` : ''}${asMarkdown(table)}`);
  const ratios = ratiosOf(name, results);
  return [measured, ...tables, ...(ratios ? [`${ratios.title}:`, asMarkdown(ratios)] : [])].join('\n\n');
}

function aboutText(results: Results): string | undefined {
  const [first] = Object.values(results);
  if (!first) return undefined;
  const { machine, node, redis, packages } = first.about;
  const listed = Object.entries(packages).map(([name, version]) => `${name} ${version}`);
  const settings = new Map(
    Object.values(results).flatMap(({ contestants }) =>
      contestants.map(({ name, kind, settings }): [string, string] => [
        `${name}${kind === 'peer' ? '' : ` (${kind})`}`,
        settings,
      ]),
    ),
  );
  return [
    `Machine: ${machine}. Node ${node}, Redis ${redis}. Packages: ${listed.join(', ')}.`,
    ['| contestant | settings |', '|---|---|', ...[...settings].map(([name, text]) => `| ${name} | ${text} |`)].join(
      '\n',
    ),
  ].join('\n\n');
}
