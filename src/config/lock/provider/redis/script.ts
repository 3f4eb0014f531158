import { createHash } from 'node:crypto';

/**
 * Every lock operation, several in one call, each on its own key. All of them run or none: Redis runs a script alone.
 *
 * Most are a try of a free key or a release that nobody waits for. Those of one ttl and with plain values leave in front, as
 * lists of keys and one text of values, and are done together: three commands for all releases, one for each try, from 16 tries
 * on one more for all of them, one fence guard for all. Whatever is not as usual is then looked at one by one.
 *
 * KEYS   1: the fence guard; then the keys of the releases; the lines of those who wait for these keys, in the same order;
 *        the keys of the tries; then for each other operation the lock's key and its line
 * ARGV   1: the values of releases and tries, one after the other, each as long as the others
 *        2: the ttl of the tries; where there are none, the channel that the sending connection hears, or nothing
 *        and unless it is one try, or one release, which its line tells from a try:
 *        3, 4: how many releases, how many tries
 *        and where there are other operations:
 *        5: how many fences these may take
 *        6: a JSON array of texts: for each its letter and its arguments. One long argument costs client and server much less
 *           than many short ones
 *        7: 1 when keys may be let be free for a moment, see Y
 *   T value ttl               try: obtain the key, or nothing; one fence
 *   R value                   release: the next in line has the key, and is told
 *   O value ttl block entry   obtain the key; `entry`, unless empty, stands in line when another has it
 *   K value ttl block entry   ask again for a waiter that stands in line: the "kick"
 *   C value entry             out of the line; release if the key was given to the entry meanwhile, or `entry` is empty
 *   X value ttl               refresh
 *   L value ttl               lengthen: as X, but what lasts longer stays so. A renewal that arrives late, on a connection that
 *                             broke or from another thread, shortens no later hold of the same value
 *   P value                   time left
 *   Y value followed          release as R, but every 100 ms at most let the key be free instead of handing it on, so that
 *                             those in no line find it; only if others wait, or `followed` is 1: one who waits asks behind it
 *   N value                   hand on a key that was let be free; the value does not matter, the "nudge"
 * reply  a number when there was nothing but releases and tries, and all of them did what they do as a rule: released, nobody
 *        waited, or, of one release alone, handed on; obtained, the first try with this fence, each next one with the next. Else an
 *        array of the replies:
 *   T O K  the first fence of a block (an integer >= 1) when granted, or that fence alone, as a negative number, while the guard is
 *          more than 10 ms ahead of the clock. Else {left, foreign, time}: another has the key for `left` ms more (-1: it has no
 *          end); foreign is 1 when the holder is none of ours, who will not tell its release; time is the server's, in
 *          microseconds; a fourth element says why the entry could not stand in line
 *   R, C   2 handed on, 1 released, 0 the value does not have the key
 *   Y      as R, or 3: it is free and nobody was told. Until 10 ms are over O and K are answered as if another had it, and
 *          are to ask again then
 *   N      1, or 0 when a holder that is none of ours has it while others wait: worth asking again
 *   X, L   1, or 0 when the value does not have the key
 *   P      milliseconds >= 0, or -1 when it has no end, or -3 when the value does not have the key
 *   an error    that operation failed; the others are not concerned
 *
 * An entry is \`channel|wid|ttl|block|value\`, ttl and block whole numbers from 1; one that is not so is passed over. Who is given
 * the key is told on its channel: \`wid|fence|time\`, the fence as in a reply. A channel that nobody hears on this server means a dead process: the next
 * in line is given the key, in the same step. The key is set and the guard is written before anybody is told, so that no fence
 * is ever given out twice. T, O and K answer their own value as a success, so that they can be sent again when the answer was
 * lost; the hold lasts then for the longer of what it had and the ttl. A fence is the server's time in microseconds, or one more
 * than the last one if that is higher: it grows over restarts, expiry and loss of data.
 */
export const SCRIPT = `
-- One try or one release alone, as most are: what is done below for many, in fewer steps. What is not as usual is left to that.
local tried, looked, owned
if not ARGV[3] then
  local key, value = KEYS[2], ARGV[1]
  if not KEYS[3] then
    local holder = redis.pcall('SET', key, value, 'NX', 'GET', 'PX', ARGV[2])
    if type(holder) ~= 'table' then tried = holder end
    local time = tried == false and redis.pcall('TIME')
    if time and time[1] then
      local micros = time[2]
      local digits = time[1] .. string.sub('00000', #micros) .. micros
      local fence, last = tonumber(digits), redis.pcall('GETSET', KEYS[1], digits)
      if not last or (tonumber(last) or fence) < fence then return fence end
      -- What is ahead of the clock, or no number, must stay there.
      if type(last) == 'string' then redis.pcall('SET', KEYS[1], last) end
    end
  else
    looked = true
    owned = redis.pcall('GET', key) == value
    if owned and redis.pcall('EXISTS', KEYS[3]) == 0 then
      if type(redis.pcall('DEL', key)) == 'number' then return 0 end
    end
  end
end

local guard, reserved = KEYS[1], tonumber(ARGV[5])
local releaser = looked and ARGV[2] ~= '' and ARGV[2]
local time, digits, last, limit

-- In microseconds, and the same as text: to write a number down may take the server longer than a command.
local function now()
  if not time then
    local t = redis.call('TIME')
    time, digits = t[1] * 1000000 + t[2], t[1] .. string.sub('00000', #t[2]) .. t[2]
  end
  return time
end

-- How far the guard is ahead of the clock, in microseconds.
local function ahead()
  if not last then
    local kept = tonumber(redis.call('GET', guard) or 0)
    if not kept then error('the fence guard ' .. guard .. ' holds no number: delete it', 0) end
    last = math.max(now() - 1, kept)
    limit = last
  end
  return last - now()
end

-- The first of so many fences. The guard is written once for all that the call may take, if it stays near the clock.
local function fences(count)
  local more = reserved or 0
  if ahead() + more > 10000 then more = 0 end
  -- 2^53, but for the last part, in which not every client reads a number rightly.
  if last + count > 9000000000000000 then
    error('the fence guard ' .. guard .. ' holds more than a fence can be: delete it', 0)
  end
  if last + count > limit then
    local reached = last + math.max(count, more)
    -- Redis writes down a whole number below 10^17 as it is.
    redis.call('SET', guard, reached)
    limit = reached
  end
  last = last + count
  return last - count + 1
end

-- The first of a block, for hand-overs inside a process. So that fences grow even if the guard is lost, there is but one, which its
-- sign tells, while the guard is ahead: others have taken more than microseconds passed, or the clock was set back.
local function block_of(count)
  if ahead() > 10000 then return -fences(1) end
  return fences(tonumber(count))
end

local function give(key, value, ttl, block)
  local fence = block_of(block)
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

local function hand_on(key, queue)
  repeat
    local entry = redis.pcall('LPOP', queue)
    if type(entry) ~= 'string' then return false end
    local channel, wid, ttl, block, value = string.match(entry, '^(.-)|(.-)|([1-9]%d*)|([1-9]%d*)|(.*)$')
    if channel and #ttl <= 15 and #block <= 15 and heard(channel) then
      local fence = give(key, value, ttl, block)
      -- Of the connections that it has something for, Redis writes to the last one first. So that the next holder's process
      -- is woken before the releaser's, which goes on with its own work, something is said to the releaser first.
      if releaser then redis.pcall('PUBLISH', releaser, '') end
      local first = fence == now() and digits or string.format('%.0f', fence)
      redis.pcall('PUBLISH', channel, wid .. '|' .. first .. '|' .. digits)
      return true
    end
  until false
end

-- A hold ends though nobody can be given the key, for want of a fence: who waits is told why when it asks.
local function handed_on(key, queue)
  local able, handed = pcall(hand_on, key, queue)
  if able and handed then return 2 end
  redis.call('DEL', key)
  return 1
end

-- One release alone, of a key that somebody waits for: that is as usual, too, and a number is answered sooner than a list.
if owned and pcall(handed_on, KEYS[2], KEYS[3]) then return 0 end

local values, ttl = ARGV[1], ARGV[2]
local releases = tonumber(ARGV[3]) or looked and 1 or 0
local tries = tonumber(ARGV[4]) or 1 - releases
local others, yields = ARGV[6], ARGV[7]
local width, sub = #values / (releases + tries), string.sub
local line_at, try_at, other_at = releases + 1, 2 * releases + 1, 2 * releases + tries + 1

-- As a rule a value has its key, and nobody waits for it. Where that is not so for all, nothing is done yet.
local released = releases == 0
if not released and not looked then
  local current = redis.pcall('MGET', unpack(KEYS, 2, line_at))
  local i = 1
  while i <= releases and current[i] == sub(values, (i - 1) * width + 1, i * width) do i = i + 1 end
  released = i > releases and redis.pcall('EXISTS', unpack(KEYS, line_at + 1, try_at)) == 0
  released = released and type(redis.pcall('DEL', unpack(KEYS, 2, line_at))) == 'number'
  if released and tries == 0 and not others then return 0 end
end

local function value_of(i)
  return sub(values, (i - 1) * width + 1, i * width)
end

-- Before version 7 Redis takes either NX or GET.
local function try_of_old(key, value)
  local set = redis.pcall('SET', key, value, 'NX', 'PX', ttl)
  return not set or set.err and set
end

local call, keys, from = redis.pcall, KEYS, releases * width + 1

-- As a rule all keys that are tried are free. Set together, with an end for each, they cost less than a SET with its words each, from 16 on.
local function set_together()
  local timed, micros = pcall(now)
  -- An odd ttl is told by SET.
  if not (timed and string.find(ttl, '^[1-9]%d*$')) then return false end
  local till = string.format('%.0f', math.floor(micros / 1000) + ttl)
  local free, at = {}, from
  for i = 1, 2 * tries, 2 do
    -- Not by value_of: a call for each would cost what the rest of this saves.
    free[i], free[i + 1] = keys[try_at + (i + 1) / 2], sub(values, at, at + width - 1)
    at = at + width
  end
  if call('MSETNX', unpack(free)) ~= 1 then return false end
  for i = 1, tries do
    -- One that has an end already was tried twice. Then, or if one of these commands is refused, it is done key by key.
    if call('PEXPIREAT', keys[try_at + i], till, 'NX') ~= 1 then
      call('DEL', unpack(keys, try_at + 1, try_at + tries))
      return false
    end
  end
  return true
end

-- Redis before version 7, which tells no version, does not know this NX.
local together = tries >= 16 and redis.REDIS_VERSION_NUM and set_together()

-- Asked who had a key, instead of whether all went well, Redis makes no table for each answer.
local granted, refused = tries, nil
for i = 1, together and 0 or tries do
  local holder = tried
  if holder == nil then
    local key, value = keys[try_at + i], sub(values, from, from + width - 1)
    holder = call('SET', key, value, 'NX', 'GET', 'PX', ttl)
    if type(holder) == 'table' and string.find(holder.err, 'syntax') then holder = try_of_old(key, value) end
    from = from + width
  end
  if holder then
    granted = granted - 1
    refused = refused or {}
    refused[i] = holder
  end
end
local fence, unfenced = 0, nil
if granted > 0 then
  local ok, reply = pcall(fences, granted)
  if ok then fence = reply else unfenced = reply end
end

if released and not refused and not unfenced and not others then return fence end

local replies = {}

local function error_of(why)
  return { err = type(why) == 'table' and why.err or tostring(why) }
end

local function answer(run, ...)
  local ok, reply = pcall(run, ...)
  replies[#replies + 1] = ok and reply or error_of(reply)
end

-- What was sent again may arrive late: it shortens nothing.
local function lengthen(key, ttl)
  local left = redis.call('PTTL', key)
  if left ~= -1 and left < tonumber(ttl) then redis.call('PEXPIRE', key, ttl) end
end

local function release(key, queue, value)
  if redis.call('GET', key) ~= value then return 0 end
  return handed_on(key, queue)
end

for i = 1, releases do
  if released then replies[i] = 1 else answer(release, KEYS[1 + i], KEYS[line_at + i], value_of(i)) end
end
if tries == 0 and not others then return replies end

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

-- For how many ms more a key is let be free: the first 10 of the 100 that the key beside the line lasts. A try knows no line.
local function pause_of(queue)
  local left = yields and queue and redis.pcall('PTTL', queue .. 'y') or 0
  return type(left) == 'number' and left <= 100 and left - 90 or 0
end

local function is_free(queue, current)
  return not current and pause_of(queue) <= 0
end

local function status(key, current, queue, entry)
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

local function obtain(key, current, queue, value, ttl, block, entry)
  if not is_free(queue, current) and current ~= value then return status(key, current, queue, entry) end
  -- Sent again after a lost answer, it may stand in line already, or have the key.
  if entry ~= '' then redis.pcall('LREM', queue, 0, entry) end
  if not current then return give(key, value, ttl, block) end
  lengthen(key, ttl)
  return block_of(block)
end

local run = {}

function run.O(key, queue, ...)
  return obtain(key, redis.call('GET', key), queue, ...)
end

function run.T(key, queue, value, ttl)
  return run.O(key, queue, value, ttl, 1, '')
end

function run.K(key, queue, ...)
  local current = redis.call('GET', key)
  if is_free(queue, current) and hand_on(key, queue) then current = redis.call('GET', key) end
  return obtain(key, current, queue, ...)
end

run.R = release

function run.C(key, queue, value, entry)
  local stood = entry ~= '' and redis.pcall('LREM', queue, 0, entry)
  -- Who still stood in line was not given the key: who has it under the same value is another.
  if type(stood) == 'number' and stood > 0 then return 0 end
  return release(key, queue, value)
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
  return handed_on(key, queue)
end

function run.N(key, queue)
  local current = redis.call('GET', key)
  if current then return is_waited_for(queue) and is_foreign(current) and 0 or 1 end
  hand_on(key, queue)
  return 1
end

function run.X(key, _, value, ttl)
  if redis.call('GET', key) ~= value then return 0 end
  return redis.call('PEXPIRE', key, ttl)
end

function run.L(key, _, value, ttl)
  if redis.call('GET', key) ~= value then return 0 end
  lengthen(key, ttl)
  return 1
end

function run.P(key, _, value)
  if redis.call('GET', key) ~= value then return -3 end
  return redis.call('PTTL', key)
end

for i = 1, tries do
  local key = KEYS[try_at + i]
  local why = refused and refused[i]
  if type(why) == 'table' then
    replies[#replies + 1] = error_of(why)
  elseif why then
    answer(run.T, key, nil, value_of(releases + i), ttl)
  elseif unfenced then
    -- Without a fence it is not given out.
    redis.pcall('DEL', key)
    replies[#replies + 1] = error_of(unfenced)
  else
    replies[#replies + 1] = fence
    fence = fence + 1
  end
end

-- How many texts each takes, its letter included.
local length = { T = 3, R = 2, O = 5, K = 5, C = 3, X = 3, L = 3, P = 2, Y = 3, N = 2 }
local asked, at = others and cjson.decode(others) or {}, 1
for place = other_at + 1, #KEYS, 2 do
  local op = asked[at]
  answer(run[op], KEYS[place], KEYS[place + 1], asked[at + 1], asked[at + 2], asked[at + 3], asked[at + 4])
  at = at + length[op]
end
return replies
`;

/** By this name the server knows the script once it has seen it. */
export const SCRIPT_SHA = createHash('sha1').update(SCRIPT).digest('hex');

/** What an operation is called in a call of the script. */
export type Letter = 'T' | 'O' | 'K' | 'R' | 'C' | 'X' | 'L' | 'P' | 'Y' | 'N';
