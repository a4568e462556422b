-- What wrk sends and prints: one body over and over, to each of the paths in turn, and the figures as a line of JSON.
-- Environment: BENCHMARK_BODY_FILE, BENCHMARK_HEADERS (one "Name: value" a line), BENCHMARK_PATHS (one a line).
local file = assert(io.open(os.getenv("BENCHMARK_BODY_FILE"), "rb"))
wrk.method = "POST"
wrk.body = file:read("*a")
file:close()
for name, value in os.getenv("BENCHMARK_HEADERS"):gmatch("([^:\n]+): ([^\n]+)") do
  wrk.headers[name] = value
end

local requests, turn = {}, 0

init = function()
  for path in os.getenv("BENCHMARK_PATHS"):gmatch("[^\n]+") do
    table.insert(requests, wrk.format(nil, path))
  end
end

request = function()
  turn = turn % #requests + 1
  return requests[turn]
end

done = function(summary, latency)
  local errors = summary.errors
  io.write(string.format(
    '{"n": %d, "seconds": %f, "p50": %f, "p99": %f, "failed": %d}\n',
    summary.requests, summary.duration / 1e6, latency:percentile(50) / 1e3, latency:percentile(99) / 1e3,
    errors.connect + errors.read + errors.write + errors.status + errors.timeout))
end
