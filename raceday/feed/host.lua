-- The budget and the circuit of one host (KEYS[1], a hash), by Valkey's clock. ARGV: what is asked, and its numbers.
-- Times are microseconds: `booked` is up to when the budget is used, `held` until when the host is left alone.
-- `held` is 0 while the circuit is closed. From `held` on one request probes, until `probed`.

local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]

local function read(name)
    return tonumber(redis.call('HGET', KEYS[1], name)) or 0
end

local function store(name, value)
    redis.call('HSET', KEYS[1], name, string.format('%.0f', math.ceil(value)))
    redis.call('EXPIRE', KEYS[1], 7200)
end

local held, failures = read('held'), read('failures')
local does = {}

-- wanted requests, µs of each or 0, burst, requests kept back, µs that a probe may take
-- → granted requests; if none, µs until it may be asked again; failures in a row
function does.ask(wanted, each, burst, kept, probe)
    if held > now then return {0, held - now, failures} end
    if held > 0 then
        local probed = read('probed')
        if probed > now then return {0, probed - now, failures} end
        wanted = 1
    end
    if each > 0 then
        local booked, most = math.max(read('booked'), now), burst - kept
        local room = math.floor(most - (booked - now) / each)
        if room < 1 then return {0, math.ceil(booked - now - (most - 1) * each), failures} end
        wanted = math.min(wanted, room)
        store('booked', booked + wanted * each)
    end
    if held > 0 then store('probed', now + probe) end
    return {wanted, 0, failures}
end

-- µs that the host asks for or -1, failures that open the circuit, µs of the first and the longest wait, jitter (a factor)
-- → µs for which the host is left alone; failures in a row, or 0 if this one is not counted
function does.fail(asked, opening, first, longest, jitter)
    if held > now then -- it was on its way when another failed: only a longer wait counts
        if asked >= 0 then held = math.max(held, now + asked) end
        store('held', held)
        return {held - now, 0}
    end
    store('failures', failures + 1)
    if asked < 0 then
        if held == 0 and failures + 1 < opening then return {0, failures + 1} end
        local waited = math.min(longest, math.max(first, 2 * read('waited')))
        store('waited', waited)
        asked = waited * jitter
    end
    store('held', now + asked)
    store('probed', 0)
    return {asked, failures + 1}
end

-- The host answered. What was on its way when the circuit opened does not close it.
function does.mend()
    if held <= now then redis.call('HDEL', KEYS[1], 'held', 'probed', 'failures', 'waited') end
    return {}
end

-- → µs for which the host is left alone, failures in a row
function does.look()
    return {math.max(0, held - now), failures}
end

local numbers = {}
for place = 2, #ARGV do numbers[place - 1] = tonumber(ARGV[place]) end
return does[ARGV[1]](unpack(numbers))
