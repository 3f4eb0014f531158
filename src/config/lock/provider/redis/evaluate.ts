import { Words, WrittenCommand, type Told } from '../../../redis/command.js';
import type { RedisClient } from './client.js';
import { ELSEWHERE } from './reply_error.js';
import type { Run } from './run.js';
import { SCRIPT, SCRIPT_SHA } from './script.js';

/**
 * On a cluster ioredis follows a slot that moves, and sends again by itself: `TRYAGAIN` is left to who asked, and so is a command
 * that is past the time at which it could be sent.
 */
function sendOn(client: RedisClient, command: WrittenCommand, run: Run): void {
  if (!client.isCluster) return void client.sendCommand(command);
  command.sentBy(
    (one) => client.sendCommand(one),
    ({ message }) => message.startsWith('TRYAGAIN') || (ELSEWHERE.test(message) && run.isPast),
  );
}

/** What is asked for, and who is told of it. */
export interface Asking extends Told {
  /**
   * What is to be run, in the moment it is sent.
   * @param refused what it gave before was not run: the server does not know the script
   */
  request(refused?: boolean): Run;
}

/** How a command says which script it runs: by a word, and by what that takes. */
class Way {
  readonly written: Words;

  constructor(
    readonly word: 'evalsha' | 'eval',
    readonly script: string,
  ) {
    this.written = new Words().add(word).add(script);
  }

  command(guard: string): WrittenCommand {
    return new WrittenCommand(this.word, [this.script, '1', guard]);
  }
}

const BY_NAME = new Way('evalsha', SCRIPT_SHA);
const BY_TEXT = new Way('eval', SCRIPT);

/** As many calls as are on their way at a time when several hundred keys are asked for without a pause. */
const KEPT = 4;

/** Runs the script on a server. */
export class Evaluator {
  /** Commands by the script's name, to be used in turn: making one costs more than sending it. */
  readonly #commands = new Array<WrittenCommand | undefined>(KEPT).fill(undefined);
  #last = 0;

  evaluate(client: RedisClient, asking: Asking): void {
    const run = asking.request();
    if (run.operations.length === 0) return asking.answered([]);
    const text = run.written(BY_NAME.written);
    sendOn(client, this.#command(client, run).saying(text, new Evaluation(client, asking)), run);
  }

  #command(client: RedisClient, { guard }: Run): WrittenCommand {
    // A cluster's client leaves its marks on a command.
    if (client.isCluster) return BY_NAME.command(guard);
    this.#last = (this.#last + 1) % KEPT;
    const next = this.#commands[this.#last];
    return next?.free ? next : (this.#commands[this.#last] = BY_NAME.command(guard));
  }
}

/**
 * Runs the script by its text when the server has forgotten it, or has never seen it. If another client has it loaded in
 * between, what was asked later runs first. That matters for one operation alone: one that undoes the earlier one, which was
 * given up by then. So what is sent the second time is asked for anew, and what was given up is not in it.
 */
class Evaluation implements Told {
  constructor(
    private readonly client: RedisClient,
    private readonly asking: Asking,
  ) {}

  answered(reply: unknown): void {
    this.asking.answered(reply);
  }

  failed(error: unknown): void {
    const { asking } = this;
    if (!(error instanceof Error && error.message.startsWith('NOSCRIPT'))) return asking.failed(error);
    const again = asking.request(true);
    if (again.operations.length === 0) return asking.answered([]);
    const text = again.written(BY_TEXT.written);
    sendOn(this.client, BY_TEXT.command(again.guard).saying(text, asking), again);
  }
}
