/** What one value may be, and how it is read. A reader answers the value, or `Wrong`. */
export interface Kind {
  /** `text`, `integer`, `number`, `flag`, `choice`, `duration`. */
  readonly name: string;
  /** The limits in words, empty when there are none. */
  readonly bounds: string;
  /** What would be right, completing "expected …". */
  readonly right: string;
  /** Reads the text of an environment variable. */
  fromText(text: string): unknown;
  /** Checks a value of TOML or of code. */
  fromValue(value: unknown): unknown;
}

/** A value that a kind refuses; tells what would be right. */
export class Wrong {
  constructor(
    readonly right: string,
    readonly suggestion?: string,
  ) {}
}
