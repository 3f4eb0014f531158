import slotOf from 'cluster-key-slot';

/** Slots of a Redis Cluster, by its specification. */
const SLOTS = 16_384;
const GUARD = 'mlk:fence';

/** The slot of a key: operations in one call must share it. */
export function slot(key: string): number {
  return slotOf(key);
}

/**
 * The list of those who wait for a key. It begins as the key does, so that a pattern of the access control list that lets
 * the key pass lets the list pass, and has the key's slot: by the key's own hash tag, else by a tag of that slot.
 */
export function lineOf(key: string, cluster: boolean): string {
  if (!cluster || HASH_TAG.test(key)) return `${key}:~q`;
  // In a key with a brace but no tag a tag behind it would not be seen.
  return key.includes('{') ? `${tagOf(key)}${key}:~q` : `${key}:~q${tagOf(key)}`;
}

/** Redis hashes what is between the first `{` and the next `}`, if there is anything. */
const HASH_TAG = /^[^{]*\{[^}]+\}/;

function tagOf(key: string): string {
  tags ??= tagTable();
  return `{${tags[slotOf(key)]}}`;
}

/**
 * The key of the fence guard: one for a database, or one for each slot of a cluster, where a script may only touch keys of
 * one slot.
 */
export function guardOf(keyPrefix: string, slotWanted?: number): string {
  if (slotWanted === undefined || HASH_TAG.test(keyPrefix)) return keyPrefix + GUARD;
  tags ??= tagTable();
  const tag = `{${tags[slotWanted]}}`;
  return keyPrefix.includes('{') ? `${tag}${keyPrefix}${GUARD}` : `${keyPrefix}${GUARD}${tag}`;
}

let tags: string[] | undefined;

/** A short text for every slot; made when a cluster is first used, in some 20 ms. */
function tagTable(): string[] {
  const table = new Array<string>(SLOTS);
  for (let found = 0, n = 0; found < SLOTS; n += 1) {
    const tag = n.toString(36);
    const at = slotOf(tag);
    if (table[at] === undefined) {
      table[at] = tag;
      found += 1;
    }
  }
  return table;
}
