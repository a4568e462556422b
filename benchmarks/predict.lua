-- What wrk sends and prints: one prediction over and over, and the figures as one line of JSON.
wrk.method = "POST"
wrk.body = os.getenv("BENCHMARK_BODY")
wrk.headers["Content-Type"] = "application/json"
wrk.headers["Authorization"] = "Bearer " .. os.getenv("BENCHMARK_TOKEN")

done = function(summary, latency, requests)
  local errors = summary.errors
  io.write(string.format(
    '{"n": %d, "seconds": %f, "p50": %f, "p99": %f, "failed": %d}\n',
    summary.requests, summary.duration / 1e6, latency:percentile(50) / 1e3, latency:percentile(99) / 1e3,
    errors.connect + errors.read + errors.write + errors.status + errors.timeout))
end
