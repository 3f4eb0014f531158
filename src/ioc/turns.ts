/** What a container does one after the other. */
export type Kind = 'setup' | 'stop';

/** A setup or stop that was asked for and is not done yet. */
interface Turn<T = unknown> {
  readonly kind: Kind;
  readonly done: Promise<T>;
}

/** Setups and stops of one container: the same asked for twice is done once, another waits for the one before. */
export class Turns {
  #last: Turn | undefined;

  /** The one that comes last, while it is not done. */
  get last(): Turn | undefined {
    return this.#last;
  }

  /** Takes the next turn; begins at once when none is before. */
  take<T>(kind: Kind, work: () => Promise<T>): Promise<T> {
    const before = this.#last;
    const begin = () => work();
    const done = before ? before.done.then(begin, begin) : begin();
    const turn = { kind, done };
    this.#last = turn;
    const leave = () => {
      if (this.#last === turn) this.#last = undefined;
    };
    done.then(leave, leave); // which also hears a failure that nobody waits for any longer
    return done;
  }
}
