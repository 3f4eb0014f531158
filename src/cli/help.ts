import { ALONE, COMMON, type Command, type Options } from './command.js';
import { COMMANDS } from './commands.js';

const WIDTH = 100;

/** What the program is, and its commands. */
export function generalHelp(): string {
  const commands = Object.values(COMMANDS).map(({ usage, about }): Row => [usage, about]);
  return [
    'Runs commands under a lock, and shows the configuration of mcube-lock.\n',
    'Usage: mcube-lock <command> [options]\n',
    `Commands:\n${rows(commands)}`,
    `Options:\n${optionRows({ ...COMMON, ...ALONE })}`,
    '`mcube-lock <command> --help` tells more of a command.\n',
  ].join('\n');
}

/** All about one command. */
export function commandHelp({ usage, about, more, options }: Command): string {
  return [
    `${about}\n`,
    `Usage: mcube-lock ${usage}\n`,
    `Options:\n${optionRows({ ...options, ...COMMON })}`,
    ...(more === undefined ? [] : [`${more}\n`]),
  ].join('\n');
}

type Row = readonly [name: string, about: string];

function optionRows(options: Options): string {
  return rows(
    Object.entries(options).map(([name, { value, short, about }]): Row => {
      const long = `--${name}${value === undefined ? '' : ` <${value}>`}`;
      return [short === undefined ? long : `-${short}, ${long}`, about];
    }),
  );
}

/** Names to the left, sentences beside them; below, where a name is too long for that. */
function rows(all: readonly Row[]): string {
  const short = all.map(([name]) => name.length).filter((length) => length <= 24);
  const width = Math.max(0, ...short);
  return all.map((row) => oneRow(row, width)).join('');
}

function oneRow([name, about]: Row, width: number): string {
  const lines = wrapped(about, WIDTH - width - 4);
  const [first, rest] = name.length > width ? ['', lines] : [lines[0]!, lines.slice(1)];
  const below = rest.map((line) => `${' '.repeat(width + 4)}${line}\n`).join('');
  return `  ${name.padEnd(width)}  ${first}`.trimEnd() + `\n${below}`;
}

function wrapped(text: string, width: number): string[] {
  const lines = [''];
  for (const word of text.split(' ')) {
    const longer = `${lines.at(-1)} ${word}`.trimStart();
    if (longer.length > width) lines.push(word);
    else lines[lines.length - 1] = longer;
  }
  return lines;
}
