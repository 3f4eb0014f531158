/** What would be right where Redis, or a Sentinel, does not say it. */
const HINTS: readonly (readonly [answer: RegExp, hint: string])[] = [
  [
    /^(?:CROSSSLOT|MOVED|ASK)\b/,
    'it is a node of a Cluster: set cluster = true in [redis] or name several endpoints, or give a client for one (new Redis.Cluster)',
  ],
  [/^NOAUTH\b/, 'it wants a password, and was given none'],
  [/No such master/, 'name it as they do, with master_name in [redis] or the name of the client'],
  [
    /unknown command \W?sentinel/i,
    'that is a Redis and no Sentinel: leave master_name out of [redis], or sentinels out of the client',
  ],
];

/** What was answered, with what would be right, where that is known. */
export function hinted(answer: string): string {
  const [, hint] = HINTS.find(([known]) => known.test(answer)) ?? [];
  return hint ? `${answer}; ${hint}` : answer;
}
