-- The ledger in Redis or Valkey: every operation is one run of this script, so each is atomic and one round trip.
--
-- KEYS[1]  the prefix of all keys; its {tag} puts them all in one slot of a cluster
-- ARGV[1]  operation   ARGV[2]  JSON: what it works on
--
-- Lua counts in doubles: sums are made by HINCRBY (64 bits), amounts travel as strings, and limits are below 2^53.
-- Counter: [key, slot, first, until, limit, below, max_calls, amount]; absent limits are "".
--
--   <prefix>meta        hash    epoch, expired_holds, expired_nano, resets
--   <prefix>c:<key>     hash    <slot> spent, <slot>:h held, <slot>:n calls, <slot>:u until, <slot>:r last reset
--   <prefix>call:<id>   string  JSON: state (held, expired, kept, settled), keep, choice, stakes, resets (before expiry)
--   <prefix>holds       zset    ids of held calls by expiry
--   <prefix>limits      hash    <key> nano-dollars or calls: limits that were set while programs run
--   <prefix>b:<series>:<day>, <prefix>d:<series>   hashes of buckets and of whole days: <slot> nano, <slot>:n calls

local prefix = KEYS[1]
local input = cjson.decode(ARGV[2])
local DAY, BUCKET = 86400, 900
local BITE = 100

local function whole(number) return string.format('%.0f', number) end

local function clock()
  if input.now then return input.now end
  local time = redis.call('TIME')
  return tonumber(time[1]) + tonumber(time[2]) / 1e6
end

local now = clock()

-- A new life of the ledger gets the caller's name for it; a caller who knew another life is told.
local function epoch()
  local found = redis.call('HGET', prefix .. 'meta', 'epoch')
  if not found then
    if input.epoch ~= '' then return 'none' end
    found = input.candidate
    redis.call('HSET', prefix .. 'meta', 'epoch', found)
  end
  return found
end

local function negative(amount)
  if amount == '0' then return '0' end
  if string.sub(amount, 1, 1) == '-' then return string.sub(amount, 2) end
  return '-' .. amount
end

local function forget_ended(key)
  local fields = redis.call('HGETALL', key)
  local values = {}
  for i = 1, #fields, 2 do values[fields[i]] = fields[i + 1] end
  for field, value in pairs(values) do
    local slot = string.match(field, '^(%d+):u$')
    if slot and tonumber(value) > 0 and tonumber(value) <= now and (values[slot .. ':h'] or '0') == '0' then
      redis.call('HDEL', key, slot, slot .. ':h', slot .. ':n', slot .. ':u', slot .. ':r')
    end
  end
end

local function book(counter, spent, held, calls)
  local key, slot, until_ = prefix .. 'c:' .. counter[1], whole(counter[2]), counter[4]
  local known = redis.call('HGET', key, slot .. ':u')
  if not known or tonumber(known) < until_ then
    redis.call('HSET', key, slot .. ':u', whole(until_))
    forget_ended(key)
    if until_ > 0 then
      redis.call('EXPIRE', key, whole(math.max(until_ - now + DAY, DAY)))
    else
      redis.call('PERSIST', key)
    end
  end
  if spent ~= '0' then redis.call('HINCRBY', key, slot, spent) end
  if held ~= '0' then redis.call('HINCRBY', key, slot .. ':h', held) end
  if calls ~= 0 then redis.call('HINCRBY', key, slot .. ':n', calls) end
end

-- Spent, held, calls as strings.
local function state(counter)
  local key, slot, first = prefix .. 'c:' .. counter[1], whole(counter[2]), counter[3]
  if first == counter[2] then
    local row = redis.call('HMGET', key, slot, slot .. ':h', slot .. ':n')
    return {row[1] or '0', row[2] or '0', row[3] or '0'}
  end
  local sums = {[''] = 0, [':h'] = 0, [':n'] = 0}
  local fields = redis.call('HGETALL', key)
  for i = 1, #fields, 2 do
    local at, part = string.match(fields[i], '^(%d+)(.*)$')
    if sums[part] and tonumber(at) >= first and tonumber(at) <= counter[2] then
      sums[part] = sums[part] + tonumber(fields[i + 1])
    end
  end
  return {whole(sums['']), whole(sums[':h']), whole(sums[':n'])}
end

local function states(counters)
  local found = {}
  for place, counter in ipairs(counters) do found[place] = state(counter) end
  return found
end

-- The same rule as Option.refused_by.
local function fits(counter, seen)
  local used, amount = tonumber(seen[1]) + tonumber(seen[2]), tonumber(counter[8])
  if counter[7] ~= '' and tonumber(seen[3]) >= tonumber(counter[7]) then return false end
  if amount == 0 then return true end
  if counter[6] ~= '' and used >= tonumber(counter[6]) then return false end
  return counter[5] == '' or used + amount <= tonumber(counter[5])
end

local function read_call(id)
  local text = redis.call('GET', prefix .. 'call:' .. id)
  return text and cjson.decode(text)
end

local function write_call(id, call, seconds)
  local key = prefix .. 'call:' .. id
  if seconds then
    redis.call('SET', key, cjson.encode(call), 'EX', whole(seconds))
    redis.call('ZREM', prefix .. 'holds', id)
  else
    redis.call('SET', key, cjson.encode(call))
    redis.call('ZADD', prefix .. 'holds', now + input.hold, id)
  end
end

local function drop_call(id)
  redis.call('DEL', prefix .. 'call:' .. id)
  redis.call('ZREM', prefix .. 'holds', id)
end

local function resets() return tonumber(redis.call('HGET', prefix .. 'meta', 'resets') or '0') end

-- Whether a counter was begun anew after a call had expired: then nothing of the call is in it.
local function begun_since(call, stake)
  if call.state == 'held' then return false end
  local last = redis.call('HGET', prefix .. 'c:' .. stake[1], whole(stake[2]) .. ':r')
  return last and tonumber(last) > (call.resets or 0)
end

-- Takes back all that a call stands for as long as it is not settled.
local function undo(call)
  for _, stake in ipairs(call and call.stakes or {}) do
    local amount = negative(stake[8])
    if not begun_since(call, stake) then
      book(stake, call.state == 'kept' and amount or '0', call.state == 'held' and amount or '0', -1)
    end
  end
end

-- A bite of the holds that have expired; whether more may wait.
local function expire()
  local ended = redis.call('ZRANGEBYSCORE', prefix .. 'holds', '-inf', now, 'LIMIT', 0, BITE)
  for _, id in ipairs(ended) do
    local call = read_call(id)
    local most = '0'
    for _, stake in ipairs(call and call.stakes or {}) do
      book(stake, call.keep and stake[8] or '0', negative(stake[8]), 0)
      if tonumber(stake[8]) > tonumber(most) then most = stake[8] end
    end
    redis.call('HINCRBY', prefix .. 'meta', 'expired_holds', 1)
    redis.call('HINCRBY', prefix .. 'meta', 'expired_nano', most)
    if call then
      call.state = call.keep and 'kept' or 'expired'
      call.resets = resets()
      write_call(id, call, input.remember)
    else
      drop_call(id)
    end
  end
  return #ended == BITE and 1 or 0
end

local function add_to_series(entry)
  local series, at, nano, calls = entry[1], entry[2], entry[3], entry[4]
  local day, slot = math.floor(at / DAY) * DAY, whole(math.floor(at / BUCKET) * BUCKET)
  local fine, days, name = prefix .. 'b:' .. series .. ':' .. whole(day), prefix .. 'd:' .. series, whole(day)
  redis.call('HINCRBY', fine, slot, nano)
  redis.call('HINCRBY', fine, slot .. ':n', calls)
  redis.call('EXPIRE', fine, whole(math.max(day + DAY + input.roll_up_after - now, DAY)))
  redis.call('HINCRBY', days, name, nano)
  if redis.call('HINCRBY', days, name .. ':n', calls) == calls then
    for _, field in ipairs(redis.call('HKEYS', days)) do
      if tonumber(string.match(field, '^%d+')) < now - input.drop_after then redis.call('HDEL', days, field) end
    end
    redis.call('EXPIRE', days, whole(input.drop_after))
  end
end

local life = epoch()
local ops = {}

function ops.reserve()
  local known = read_call(input.id)
  if known and known.state ~= 'held' and known.state ~= 'settled' then
    undo(known)
    drop_call(input.id)
  elseif known then
    local counters = input.options[known.choice + 1]
    return {'granted', known.choice, states(counters)}
  end
  local refused_by, seen_by = {}, {}
  for index, counters in ipairs(input.options) do
    local seen, refused = states(counters), nil
    for place, counter in ipairs(counters) do
      if not fits(counter, seen[place]) then refused = place - 1 break end
    end
    if not refused then
      for _, counter in ipairs(counters) do book(counter, '0', counter[8], 1) end
      write_call(input.id, {state = 'held', keep = input.keep, choice = index - 1, stakes = counters})
      return {'granted', index - 1, seen}
    end
    refused_by[index], seen_by[index] = refused, seen
  end
  return {'refused', refused_by, seen_by}
end

function ops.settle()
  local call = read_call(input.id)
  if call and call.state == 'settled' then return {'again'} end
  local counted = not call and input.verified
  undo(call)
  for _, counter in ipairs(input.counters) do book(counter, input.actual, '0', input.more + (counted and 0 or 1)) end
  for _, entry in ipairs(input.entries) do add_to_series(entry) end
  write_call(input.id, {state = 'settled', choice = input.choice, stakes = {}}, input.remember)
  return {'settled', states(input.counters)}
end

function ops.release()
  local call = read_call(input.id)
  if call and call.state ~= 'settled' then
    undo(call)
    drop_call(input.id)
  end
  return {'released'}
end

function ops.renew()
  local call = read_call(input.id)
  if call and call.state == 'settled' then return {'again'} end
  if call and call.state == 'held' then
    redis.call('ZADD', prefix .. 'holds', now + input.hold, input.id)
    return {'renewed'}
  end
  undo(call)
  local counts = not call and input.verified and 0 or 1
  for _, counter in ipairs(input.counters) do book(counter, '0', counter[8], counts) end
  local again = {state = 'held', keep = input.keep, choice = input.choice, stakes = input.counters}
  write_call(input.id, again)
  return {'renewed'}
end

function ops.states() return {'states', states(input.counters)} end

function ops.spend()
  local rows, rolled = {}, math.floor((now - input.roll_up_after) / DAY) * DAY
  local function take(key, only)
    local fields = redis.call('HGETALL', key)
    local found = {}
    for i = 1, #fields, 2 do found[fields[i]] = fields[i + 1] end
    for field, value in pairs(found) do
      local slot = string.match(field, '^%d+$')
      if slot and only(tonumber(slot)) then rows[#rows + 1] = {slot, value, found[field .. ':n'] or '0'} end
    end
  end
  if input.start < rolled then
    take(prefix .. 'd:' .. input.series, function(slot) return slot < rolled and slot >= input.start end)
  end
  for day = math.max(math.floor(input.start / DAY) * DAY, rolled), input.stop - 1, DAY do
    take(prefix .. 'b:' .. input.series .. ':' .. whole(day), function() return true end)
  end
  return {'rows', rows}
end

function ops.claim()
  local key = prefix .. 'claim:' .. input.name
  local held_until = redis.call('GET', key)
  if held_until and tonumber(held_until) > now then return {'no'} end
  redis.call('SET', key, whole(input.till), 'EX', whole(math.max(input.till - now, 1)))
  return {'yes'}
end

function ops.set_limit()
  if input.amount == '' then
    redis.call('HDEL', prefix .. 'limits', input.key)
  else
    redis.call('HSET', prefix .. 'limits', input.key, input.amount)
  end
  return {'kept'}
end

-- Spent and calls to 0; the calls in flight count on.
function ops.reset()
  local number = redis.call('HINCRBY', prefix .. 'meta', 'resets', 1)
  local begun, slots = {}, 0
  for _, name in ipairs(input.keys) do
    local key = prefix .. 'c:' .. name
    begun[name] = true
    for _, field in ipairs(redis.call('HKEYS', key)) do
      local slot = string.match(field, '^(%d+):u$')
      if slot then
        redis.call('HDEL', key, slot, slot .. ':n')
        redis.call('HSET', key, slot .. ':r', number)
        slots = slots + 1
      end
    end
  end
  for _, id in ipairs(redis.call('ZRANGE', prefix .. 'holds', 0, -1)) do
    local call = read_call(id)
    for _, stake in ipairs(call and call.stakes or {}) do
      if begun[stake[1]] then book(stake, '0', '0', 1) end
    end
  end
  return {'begun', slots}
end

function ops.limits()
  local fields, found = redis.call('HGETALL', prefix .. 'limits'), {}
  for i = 1, #fields, 2 do found[#found + 1] = {fields[i], fields[i + 1]} end
  return {'limits', found}
end

function ops.restore()
  local name = input.name .. ':' .. life
  if read_call(name) then return {'again'} end
  for _, row in ipairs(input.rows) do book(row, row[9], row[10], row[11]) end
  for _, entry in ipairs(input.entries) do add_to_series(entry) end
  write_call(name, {state = 'settled', choice = 0, stakes = {}}, input.remember)
  return {'restored'}
end

function ops.expired()
  local row = redis.call('HMGET', prefix .. 'meta', 'expired_holds', 'expired_nano')
  return {'expired', row[1] or '0', row[2] or '0'}
end

if input.epoch ~= '' and life ~= input.epoch then return {life, tostring(now), 0, 'emptied'} end
local more = expire()
local answer = ops[ARGV[1]]()
return {life, string.format('%.6f', now), more, unpack(answer)}
