import type { Command } from './command.js';
import { config } from './config.js';
import { list } from './list.js';
import { lockCommand } from './lock.js';

/** The commands, by the word that calls them. A new one is one line here. */
export const COMMANDS: Readonly<Record<string, Command>> = { lock: lockCommand, config, list };
