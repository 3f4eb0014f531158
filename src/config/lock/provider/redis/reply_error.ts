/**
 * What a server says that cannot do it now, and has done nothing; older ones put the place in the script before it. The last is said of a
 * key that an operation in front has deleted, or nobody has, while its slot moves.
 */
export const NOT_NOW =
  /(?:^|: -)(?:READONLY|MASTERDOWN|LOADING|CLUSTERDOWN|TRYAGAIN|BUSY|NOREPLICAS)\b|attempted to access a non local key/;

/** Of these, what another server must be asked for: this one is no master (any more). */
export const NOT_HERE = /READONLY|MASTERDOWN/;

/** Where a node of a cluster says that another has what was asked for. */
export const ELSEWHERE = /^(?:MOVED|ASK)\b/;

/** What it refuses a connection for the moment; what else it refuses one it refuses for good. */
const NOT_YET = /max number of clients|redirect to does not exist/;

/** What it says of a whole call though it may mean one key of it. */
export const FOR_ONE = /^NOPERM\b/;

/** Whether the server itself answered with an error. */
export function isReplyError(error: unknown): error is Error {
  return error instanceof Error && error.name === 'ReplyError';
}

/** Whether what it refuses, a command or a connection, may be had later. */
export function isForNow({ message }: Error): boolean {
  return NOT_NOW.test(message) || NOT_YET.test(message);
}
