import { createHash } from 'node:crypto';

/**
 * Every lock operation, several in one call, each on its own key. All of them run or none: Redis runs a script alone.
 *
 * KEYS   1: the fence guard; 1 + i: the key of operation i
 * ARGV   three for each operation: its letter, the value that tells the holder apart, a ttl in milliseconds
 * reply  one element for each operation:
 *   O obtain    the fence (an integer >= 1), or {left}: another has it for `left` ms more (-1: it has no end)
 *   R release   1, or 0 when the value does not have the key
 *   X refresh   1, or 0 when the value does not have the key
 *   P left      milliseconds >= 0, or -1 when it has no end, or -3 when the value does not have the key
 *   an error    that operation failed, and changed nothing; the others are not concerned
 *
 * O answers its own value as a success, so that it can be sent again when its answer was lost. The fence is the server's
 * time in microseconds, or one more than the last one if that is higher: it grows over restarts, expiry and loss of data.
 * The guard keeps the last one; it is written before a key is taken, so that no fence is ever given out twice.
 */
export const SCRIPT = `
local guard = KEYS[1]
local last

local function next_fence()
  if not last then
    local time = redis.call('TIME')
    local now = time[1] * 1000000 + time[2]
    last = math.max(now - 1, tonumber(redis.call('GET', guard) or 0))
  end
  last = last + 1
  redis.call('SET', guard, string.format('%.0f', last))
  return last
end

local function run(op, key, value, ttl)
  local current = redis.call('GET', key)
  if op == 'O' then
    if current and current ~= value then return { redis.call('PTTL', key) } end
    local fence = next_fence()
    redis.call('SET', key, value, 'PX', ttl)
    return fence
  end
  if current ~= value then return op == 'P' and -3 or 0 end
  if op == 'R' then return redis.call('DEL', key) end
  if op == 'X' then return redis.call('PEXPIRE', key, ttl) end
  return redis.call('PTTL', key)
end

local replies = {}
for i = 2, #KEYS do
  local at = (i - 2) * 3
  local ok, reply = pcall(run, ARGV[at + 1], KEYS[i], ARGV[at + 2], ARGV[at + 3])
  if not ok then reply = { err = type(reply) == 'table' and reply.err or tostring(reply) } end
  replies[i - 1] = reply
end
return replies
`;

/** By this name the server knows the script once it has seen it. */
export const SCRIPT_SHA = createHash('sha1').update(SCRIPT).digest('hex');

/** The letter of an operation. */
export type Op = 'O' | 'R' | 'X' | 'P';
