import slotOf from 'cluster-key-slot';

/** Slots of a Redis Cluster, by its specification. */
const SLOTS = 16_384;
const GUARD = 'mlk:fence';

/** The one fence guard of a server that is not a cluster. */
export const FENCE_GUARD = GUARD;

/** The slot of a key: operations in one call must share it. */
export function slot(key: string): number {
  return slotOf(key);
}

/** The fence guard of a slot: a script may only touch keys of one slot, so that each has its own. */
export function guardOfSlot(wanted: number): string {
  tags ??= tagTable();
  return `${GUARD}{${tags[wanted]}}`;
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
