import { createHash } from 'node:crypto';

/**
 * Every lock operation, several in one call, each on its own key. All of them run or none: Redis runs a script alone.
 *
 * KEYS   1: the fence guard; then for each operation the lock's key and the list of those who wait for it
 * ARGV   1: how many fences the operations may take; then for each operation its letter and its arguments:
 *   T value ttl               try: obtain the key, or nothing; one fence
 *   O value ttl block entry   obtain the key; `entry`, unless empty, stands in line when another has it
 *   K value ttl block entry   ask again for a waiter that stands in line: the "kick"
 *   R value                   release: the next in line has the key, and is told
 *   C value entry             out of the line, and release if the key was given to the entry meanwhile
 *   X value ttl               refresh
 *   P value                   time left
 * reply  one element for each operation:
 *   T O K  the first fence of a block (an integer >= 1) when granted, else {left, foreign, time}: another has the key for
 *          `left` ms more (-1: it has no end); foreign is 1 when the holder is none of ours, who will not tell its release;
 *          time is the server's, in microseconds; a fourth element says why the entry could not stand in line
 *   R, C   2 handed on, 1 released, 0 the value does not have the key
 *   X      1, or 0 when the value does not have the key
 *   P      milliseconds >= 0, or -1 when it has no end, or -3 when the value does not have the key
 *   an error    that operation failed; the others are not concerned
 *
 * An entry is \`channel|wid|ttl|block|value\`; who is given the key is told on its channel: \`wid|fence|time\`. The number of
 * receivers tells whether its process lives; if not, the next in line is given the key, in the same step. The key is set
 * before anybody is told, and the guard is written before both, so that no fence is ever given out twice. T, O and K
 * answer their own value as a success, so that they can be sent again when the answer was lost. A fence is the server's time in
 * microseconds, or one more than the last one if that is higher: it grows over restarts, expiry and loss of data.
 */
export const SCRIPT = `
local guard = KEYS[1]

-- Most calls are one try of a free key, or one release that nobody waits for: they do the same as below, without the
-- functions whose making takes a third of the time.
if #KEYS == 3 then
  local op, key, value = ARGV[2], KEYS[2], ARGV[3]
  if op == 'T' and not redis.call('GET', key) then
    local t = redis.call('TIME')
    local fence = t[1] * 1000000 + t[2]
    local before = tonumber(redis.call('GET', guard) or 0)
    if before >= fence then fence = before + 1 end
    redis.call('SET', guard, string.format('%.0f', fence))
    redis.call('SET', key, value, 'PX', ARGV[4])
    return { fence }
  end
  if op == 'R' and redis.call('GET', key) == value and redis.pcall('PTTL', KEYS[3]) == -2 then
    redis.call('DEL', key)
    return { 1 }
  end
end

local reserved = tonumber(ARGV[1])
local time, last, limit

local function now()
  if not time then
    local t = redis.call('TIME')
    time = t[1] * 1000000 + t[2]
  end
  return time
end

local function fences(count)
  if not last then
    last = math.max(now() - 1, tonumber(redis.call('GET', guard) or 0))
    limit = last
  end
  if last + count > limit then
    limit = last + math.max(count, reserved)
    redis.call('SET', guard, string.format('%.0f', limit))
  end
  last = last + count
  return last - count + 1
end

local function give(key, value, ttl, block)
  local fence = fences(tonumber(block))
  redis.call('SET', key, value, 'PX', ttl)
  return fence
end

local function hand_on(key, queue)
  while true do
    local entry = redis.pcall('LPOP', queue)
    if type(entry) ~= 'string' then return false end
    local channel, wid, ttl, block, value = string.match(entry, '^(.-)|(.-)|(.-)|(.-)|(.*)$')
    if channel then
      local fence = give(key, value, ttl, block)
      local grant = string.format('%s|%.0f|%.0f', wid, fence, now())
      local told = redis.pcall('PUBLISH', channel, grant)
      if told ~= 0 then return true end
    end
  end
end

local function stand_in_line(queue, entry)
  if not redis.call('LPOS', queue, entry) then redis.call('RPUSH', queue, entry) end
  redis.call('PEXPIRE', queue, 120000)
end

local function refused(key, current, queue, entry)
  local mark = string.byte(current, 22)
  local foreign = (not mark or mark == 65 or mark == 81 or mark == 103 or mark == 119) and 1 or 0
  local reply = { redis.call('PTTL', key), foreign, now() }
  if entry ~= '' then
    local ok, why = pcall(stand_in_line, queue, entry)
    if not ok then
      reply[4] = type(why) == 'table' and why.err or tostring(why)
      if string.find(reply[4], 'READONLY') then error(why) end
    end
  end
  return reply
end

local function let_go(key, queue)
  if hand_on(key, queue) then return 2 end
  redis.call('DEL', key)
  return 1
end

local run = {}

function run.O(key, queue, value, ttl, block, entry)
  local current = redis.call('GET', key)
  if not current or current == value then
    -- Sent again after a lost answer, it may stand in line already.
    if entry ~= '' then redis.pcall('LREM', queue, 0, entry) end
    return give(key, value, ttl, block)
  end
  return refused(key, current, queue, entry)
end

function run.T(key, queue, value, ttl)
  return run.O(key, queue, value, ttl, 1, '')
end

function run.K(key, queue, value, ttl, block, entry)
  local current = redis.call('GET', key)
  if not current and hand_on(key, queue) then current = redis.call('GET', key) end
  if not current or current == value then
    if entry ~= '' then redis.pcall('LREM', queue, 0, entry) end
    return give(key, value, ttl, block)
  end
  return refused(key, current, queue, entry)
end

function run.R(key, queue, value)
  if redis.call('GET', key) ~= value then return 0 end
  return let_go(key, queue)
end

function run.C(key, queue, value, entry)
  if entry ~= '' then redis.pcall('LREM', queue, 0, entry) end
  return run.R(key, queue, value)
end

function run.X(key, _, value, ttl)
  if redis.call('GET', key) ~= value then return 0 end
  return redis.call('PEXPIRE', key, ttl)
end

function run.P(key, _, value)
  if redis.call('GET', key) ~= value then return -3 end
  return redis.call('PTTL', key)
end

local arguments = { T = 2, O = 4, K = 4, R = 1, C = 2, X = 2, P = 1 }
local replies = {}
local at = 2
for i = 2, #KEYS, 2 do
  local op = ARGV[at]
  local ok, reply = pcall(run[op], KEYS[i], KEYS[i + 1], ARGV[at + 1], ARGV[at + 2], ARGV[at + 3], ARGV[at + 4])
  if not ok then reply = { err = type(reply) == 'table' and reply.err or tostring(reply) } end
  replies[i / 2] = reply
  at = at + 1 + arguments[op]
end
return replies
`;

/** By this name the server knows the script once it has seen it. */
export const SCRIPT_SHA = createHash('sha1').update(SCRIPT).digest('hex');

/** The letter of an operation. */
export type Op = 'T' | 'O' | 'K' | 'R' | 'C' | 'X' | 'P';
