/** Slots of a Redis Cluster, by its specification. */
const SLOTS = 16_384;
const GUARD = 'mlk:fence';

/** Redis hashes what is between the first `{` and the next `}`, if there is anything; else the whole key. */
const HASH_TAG = /^[^{]*\{([^}]+)\}/;

/** The slot of a key: operations in one call must share it. */
export function slot(key: string): number {
  // Not by the package that ioredis uses: for keys such as `{}{a}` that one finds another slot than Redis.
  return crc16(HASH_TAG.exec(key)?.[1] ?? key) % SLOTS;
}

/**
 * The list of those who wait for a key. It begins as the key does, so that a pattern of the access control list that lets
 * the key pass lets the list pass, and has the key's slot: by the key's own hash tag, else by a tag of that slot.
 */
export function lineOf(key: string, cluster: boolean): string {
  if (!cluster || HASH_TAG.test(key)) return `${key}:~q`;
  // In a key with a brace but no tag a tag behind it would not be seen.
  const tag = tagOf(slot(key));
  return key.includes('{') ? `${tag}${key}:~q` : `${key}:~q${tag}`;
}

/**
 * The key of the fence guard: one for a database, or one for each slot of a cluster, where a script may only touch keys of
 * one slot.
 */
export function guardOf(keyPrefix: string, slotWanted?: number): string {
  if (slotWanted === undefined || HASH_TAG.test(keyPrefix)) return keyPrefix + GUARD;
  const tag = tagOf(slotWanted);
  return keyPrefix.includes('{') ? `${tag}${keyPrefix}${GUARD}` : `${keyPrefix}${GUARD}${tag}`;
}

function tagOf(at: number): string {
  tags ??= tagTable();
  return `{${tags[at]}}`;
}

let tags: string[] | undefined;

/** A short text for every slot; made when a cluster is first used, in some 20 ms. */
function tagTable(): string[] {
  const table = new Array<string>(SLOTS);
  for (let found = 0, n = 0; found < SLOTS; n += 1) {
    const tag = n.toString(36);
    const at = slot(tag);
    if (table[at] === undefined) {
      table[at] = tag;
      found += 1;
    }
  }
  return table;
}

/** The checksum by which Redis divides keys: CRC16 of the XMODEM kind. */
function crc16(text: string): number {
  let sum = 0;
  for (const byte of Buffer.from(text)) sum = ((sum << 8) & 0xffff) ^ CRC_OF_BYTE[(sum >> 8) ^ byte]!;
  return sum;
}

const CRC_OF_BYTE = Array.from({ length: 256 }, (_, byte) => {
  let sum = byte << 8;
  for (let bit = 0; bit < 8; bit += 1) sum = sum & 0x8000 ? (sum << 1) ^ 0x1021 : sum << 1;
  return sum & 0xffff;
});
