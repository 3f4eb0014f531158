import { createHash } from 'node:crypto';

/**
 * Every lock operation, several in one call, each on its own key. All of them run or none: Redis runs a script alone.
 *
 * KEYS   1: the fence guard; then for each operation the lock's key, and behind it, but for T, the list of those who wait
 * ARGV   of several operations
 *        1: how many fences they may take
 *        2: a JSON array of texts: for each operation its letter and its arguments. One long argument costs client and
 *           server much less than many short ones
 *        3: 1 when keys may be let be free for a moment, see Y
 *        of one operation
 *        its letter and its arguments; for O and K a sixth as the third above
 *   T value ttl               try: obtain the key, or nothing; one fence
 *   O value ttl block entry   obtain the key; `entry`, unless empty, stands in line when another has it
 *   K value ttl block entry   ask again for a waiter that stands in line: the "kick"
 *   R value                   release: the next in line has the key, and is told
 *   C value entry             out of the line, and release if the key was given to the entry meanwhile
 *   X value ttl               refresh
 *   L value ttl               lengthen: as X, but what lasts longer stays so. A renewal that arrives late, on a connection that
 *                             broke or from another thread, shortens no later hold of the same value
 *   P value                   time left
 *   Y value followed          release as R, but every 100 ms at most let the key be free instead of handing it on, so that
 *                             those in no line find it; only if others wait, or \`followed\` is 1: one who waits asks behind it
 *   N                         hand on a key that was let be free, the "nudge"
 * reply  of one operation its reply, of several an array of them:
 *   T O K  the first fence of a block (an integer >= 1) when granted, else {left, foreign, time}: another has the key for
 *          `left` ms more (-1: it has no end); foreign is 1 when the holder is none of ours, who will not tell its release;
 *          time is the server's, in microseconds; a fourth element says why the entry could not stand in line
 *   R, C   2 handed on, 1 released, 0 the value does not have the key
 *   Y      as R, or 3: it is free and nobody was told. Until 10 ms are over O and K are answered as if another had it, and
 *          are to ask again then
 *   N      1, or 0 when a holder that is none of ours has it while others wait: worth asking again
 *   X, L   1, or 0 when the value does not have the key
 *   P      milliseconds >= 0, or -1 when it has no end, or -3 when the value does not have the key
 *   an error    that operation failed; the others are not concerned
 *
 * An entry is \`channel|wid|ttl|block|value\`; who is given the key is told on its channel: \`wid|fence|time\`. A channel that
 * nobody hears on this server means a dead process: the next in line is given the key, in the same step. The key is set
 * and the guard is written before anybody is told, so that no fence is ever given out twice. T, O and K
 * answer their own value as a success, so that they can be sent again when the answer was lost. A fence is the server's time in
 * microseconds, or one more than the last one if that is higher: it grows over restarts, expiry and loss of data.
 */
export const SCRIPT = `
-- One try of a free key, or one release that nobody waits for: most calls are one of these, and are answered before any
-- function is made, which takes longer than to run it.
local op, value, entry = ARGV[1], ARGV[2], nil
if op == 'T' then
  local set = redis.pcall('SET', KEYS[2], value, 'NX', 'PX', ARGV[3])
  if set and set.ok then
    local clock, before = redis.pcall('TIME'), tonumber(redis.pcall('GET', KEYS[1]) or 0)
    if clock[2] and before then
      local fence = math.max(before + 1, clock[1] * 1000000 + clock[2])
      if redis.pcall('SET', KEYS[1], string.format('%.0f', fence)).ok then return fence end
    end
    redis.call('DEL', KEYS[2])
  end
elseif op == 'R' and redis.pcall('GET', KEYS[2]) == value then
  entry = redis.pcall('LPOP', KEYS[3])
  if not entry then return redis.call('DEL', KEYS[2]) end
end

local guard, reserved = KEYS[1], tonumber(ARGV[1])
local is_one = not reserved
local yields = ARGV[is_one and 6 or 3]
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
    limit = last + math.max(count, reserved or 0)
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

-- Whether a process hears the channel on this very server. Asked before anything is told: a replica, or another node of a
-- cluster, would pass the message on to one who is not heard of here, beside the next in line. Who may not ask, tries.
local function heard(channel)
  local counted = redis.pcall('PUBSUB', 'NUMSUB', channel)
  if counted.err then return redis.pcall('PUBLISH', channel, '') ~= 0 end
  return counted[2] > 0
end

local function hand_on(key, queue, entry)
  while type(entry) == 'string' do
    local channel, wid, ttl, block, value = string.match(entry, '^(.-)|(.-)|(.-)|(.-)|(.*)$')
    if channel and heard(channel) then
      local fence = give(key, value, ttl, block)
      redis.pcall('PUBLISH', channel, string.format('%s|%.0f|%.0f', wid, fence, now()))
      return true
    end
    entry = redis.pcall('LPOP', queue)
  end
  return false
end

local function handed_on(key, queue, entry)
  if hand_on(key, queue, entry) then return 2 end
  redis.call('DEL', key)
  return 1
end

local function error_of(why)
  return { err = type(why) == 'table' and why.err or tostring(why) }
end

-- The release of one operation, when somebody may wait.
if entry then
  local ok, reply = pcall(handed_on, KEYS[2], KEYS[3], entry)
  return ok and reply or error_of(reply)
end

-- All but the try of a free key and the release: made when it is needed.
local function others()
  local function stand_in_line(queue, entry)
    if not redis.call('LPOS', queue, entry) then redis.call('RPUSH', queue, entry) end
    redis.call('PEXPIRE', queue, 120000)
  end

  local function is_foreign(value)
    local mark = string.byte(value, 22)
    return not mark or mark == 65 or mark == 81 or mark == 103 or mark == 119
  end

  local function is_waited_for(queue)
    return redis.pcall('PTTL', queue) ~= -2
  end

  -- For how many ms more a key is let be free: the first 10 of the 100 that the key beside the line lasts.
  local function pause_of(queue)
    local left = yields and redis.pcall('PTTL', queue .. 'y') or 0
    return type(left) == 'number' and left <= 100 and left - 90 or 0
  end

  local function refused(key, current, queue, entry)
    local left = current and redis.call('PTTL', key) or pause_of(queue)
    local reply = { left, current and is_foreign(current) and 1 or 0, now() }
    if entry ~= '' then
      local ok, why = pcall(stand_in_line, queue, entry)
      if not ok then
        reply[4] = type(why) == 'table' and why.err or tostring(why)
        if string.find(reply[4], 'READONLY') then error(why, 0) end
      end
    end
    return reply
  end

  -- How many texts each takes, its letter included.
  local run = { length = { O = 5, K = 5, X = 3, L = 3, P = 2, Y = 3, N = 1 } }

  local function is_free(queue, current)
    return not current and pause_of(queue) <= 0
  end

  function run.O(key, queue, value, ttl, block, entry)
    local current = redis.call('GET', key)
    if is_free(queue, current) or current == value then
      -- Sent again after a lost answer, it may stand in line already.
      if entry ~= '' then redis.pcall('LREM', queue, 0, entry) end
      return give(key, value, ttl, block)
    end
    return refused(key, current, queue, entry)
  end

  function run.K(key, queue, value, ttl, block, entry)
    local current = redis.call('GET', key)
    if is_free(queue, current) and hand_on(key, queue, redis.pcall('LPOP', queue)) then current = redis.call('GET', key) end
    if is_free(queue, current) or current == value then
      if entry ~= '' then redis.pcall('LREM', queue, 0, entry) end
      return give(key, value, ttl, block)
    end
    return refused(key, current, queue, entry)
  end

  function run.Y(key, queue, value, followed)
    if redis.call('GET', key) ~= value then return 0 end
    if followed == '1' or is_waited_for(queue) then
      -- One key beside the line, in its slot, so that it is once in 100 ms, whichever process does it.
      local first = redis.pcall('SET', queue .. 'y', '', 'NX', 'PX', 100)
      if first and first.ok then
        redis.call('DEL', key)
        return 3
      end
    end
    return handed_on(key, queue, redis.pcall('LPOP', queue))
  end

  function run.N(key, queue)
    local current = redis.call('GET', key)
    if current then return is_waited_for(queue) and is_foreign(current) and 0 or 1 end
    hand_on(key, queue, redis.pcall('LPOP', queue))
    return 1
  end

  function run.X(key, _, value, ttl)
    if redis.call('GET', key) ~= value then return 0 end
    return redis.call('PEXPIRE', key, ttl)
  end

  function run.L(key, _, value, ttl)
    if redis.call('GET', key) ~= value then return 0 end
    local left = redis.call('PTTL', key)
    if left ~= -1 and left < tonumber(ttl) then redis.call('PEXPIRE', key, ttl) end
    return 1
  end

  function run.P(key, _, value)
    if redis.call('GET', key) ~= value then return -3 end
    return redis.call('PTTL', key)
  end

  return run
end

local run

local function try(key, value, ttl)
  if redis.call('SET', key, value, 'NX', 'PX', ttl) then
    local ok, fence = pcall(fences, 1)
    if ok then return fence end
    -- Without a fence it is not given out.
    redis.call('DEL', key)
    error(fence)
  end
  run = run or others()
  return run.O(key, nil, value, ttl, 1, '')
end

local function release(key, queue, value)
  if redis.call('GET', key) ~= value then return 0 end
  return handed_on(key, queue, redis.pcall('LPOP', queue))
end

local function leave(key, queue, value, entry)
  if entry ~= '' then redis.pcall('LREM', queue, 0, entry) end
  return release(key, queue, value)
end

local asked, replies = is_one and ARGV or cjson.decode(ARGV[2]), {}
local at, place = 1, 2
for i = 1, is_one and 1 or #KEYS do
  local op, key, queue = asked[at], KEYS[place], KEYS[place + 1]
  if not op then break end
  local ok, reply
  if op == 'T' then
    ok, reply = pcall(try, key, asked[at + 1], asked[at + 2])
    at, place = at + 3, place + 1
  elseif op == 'R' then
    ok, reply = pcall(release, key, queue, asked[at + 1])
    at, place = at + 2, place + 2
  elseif op == 'C' then
    ok, reply = pcall(leave, key, queue, asked[at + 1], asked[at + 2])
    at, place = at + 3, place + 2
  else
    run = run or others()
    ok, reply = pcall(run[op], key, queue, asked[at + 1], asked[at + 2], asked[at + 3], asked[at + 4])
    at, place = at + run.length[op], place + 2
  end
  replies[i] = ok and reply or error_of(reply)
end
return is_one and replies[1] or replies
`;

/** By this name the server knows the script once it has seen it. */
export const SCRIPT_SHA = createHash('sha1').update(SCRIPT).digest('hex');

/** The letter of an operation. */
export type Op = 'T' | 'O' | 'K' | 'R' | 'C' | 'X' | 'L' | 'P' | 'Y' | 'N';
