import { readFileSync } from 'node:fs';
import { readInput, splitArgs, type Command, type Request, type Terminal } from './command.js';
import { COMMANDS } from './commands.js';
import { ending, EXIT, UsageError } from './exit.js';
import { commandHelp, generalHelp } from './help.js';

/**
 * The command line as a function.
 * @param args without the program's own name
 * @returns the exit code; what went wrong was told
 */
export async function run(args: readonly string[], terminal: Terminal): Promise<number> {
  try {
    return await obey(splitArgs(args), terminal);
  } catch (error) {
    const { code, text } = ending(error);
    if (text !== '') terminal.err(`mcube-lock: ${text}\n`);
    if (error instanceof UsageError) terminal.err('Try `mcube-lock --help`.\n');
    return code;
  }
}

async function obey(request: Request, terminal: Terminal): Promise<number> {
  const { name } = request;
  if (name === undefined) return withoutCommand(request, terminal);
  const command = commandOf(name);
  if (asksForHelp(request)) return shown(commandHelp(command), terminal);
  const input = readInput(command.options, request);
  if (request.command && !command.takesCommand) throw new UsageError(`${name} takes nothing after --`);
  return command.run(input, terminal);
}

function withoutCommand(request: Request, terminal: Terminal): number {
  if (asksForHelp(request)) return shown(generalHelp(), terminal);
  if (request.args.includes('--version')) return shown(`${version()}\n`, terminal);
  if (request.args.length > 0) readInput({}, request);
  throw new UsageError(`no command given, expected one of ${Object.keys(COMMANDS).join(', ')}`);
}

/** Whatever else is wrong, who asks for help gets it. */
function asksForHelp({ args }: Request): boolean {
  return args.includes('--help') || args.includes('-h');
}

function commandOf(name: string): Command {
  if (Object.hasOwn(COMMANDS, name)) return COMMANDS[name]!;
  throw new UsageError(
    `there is no command ${JSON.stringify(name)}, expected one of ${Object.keys(COMMANDS).join(', ')}`,
  );
}

function shown(text: string, terminal: Terminal): number {
  terminal.out(text);
  return EXIT.ok;
}

function version(): string {
  const manifest = readFileSync(new URL('../../package.json', import.meta.url), 'utf8');
  return (JSON.parse(manifest) as { version: string }).version;
}
