-- What: makes and drops tables, strings, closures and coroutines; prints sums that do not depend on the order of pairs().
local state = 31

local function rnd(bound)
  state = (state * 16807) % 2147483647
  return state % bound
end

local function word()
  local t = {}
  for i = 1, 1 + rnd(20) do t[i] = string.char(97 + rnd(26)) end
  return table.concat(t)
end

local function tree(depth)
  if depth == 0 then return { leaf = word() } end
  local node = { name = word() }
  for i = 1, 1 + rnd(4) do node[i] = tree(depth - 1) end
  return node
end

local function weight(node)
  local sum = #(node.leaf or node.name)
  for _, child in ipairs(node) do sum = sum + weight(child) end
  return sum
end

local function producer(count)
  return coroutine.wrap(function()
    for i = 1, count do coroutine.yield(word() .. i) end
  end)
end

local function round(number)
  local nodes, words, kept = tree(9), {}, {}
  for item in producer(20000) do words[#words + 1] = item end
  table.sort(words)
  for i, item in ipairs(words) do
    if i % 3 ~= 0 then kept[item] = function() return #item + i end end
  end
  words = nil
  collectgarbage()
  local sum, long = 0, ''
  for _, call in pairs(kept) do sum = sum + call() end
  for i = 1, 3000 do long = long .. word() end
  local changed = long:gsub('[aeiou]+', function(s) return s:upper() .. #s end)
  print(number, weight(nodes), sum, #long, #changed, changed:sub(1, 60))
end

for number = 1, tonumber(arg[1]) do round(number) end
