"""The numbers of the V2 statistics extension: what each version of an endpoint has answered since the processes began.

Counts and durations are those of all serving processes together, cumulative; durations in nanoseconds.
"""

from __future__ import annotations

from collections.abc import Iterable

from inference.monitoring.prometheus import current_state
from inference.monitoring.state import State
from inference.monitoring.tally import Tally
from inference.protocol.statistics import BatchStatistics, Duration, VersionStatistics


def statistics_of(
    slug: str, version: int | None = None, *, served: Iterable[int] = (), state: State | None = None
) -> list[VersionStatistics]:
    """By version, ascending; of those that have answered nothing yet only what is `served` now. Reads files: not for
    the event loop."""
    state = state or current_state()
    tallies: dict[int, Tally] = {number: Tally() for number in served}
    for who, tally in state.tallies.items():
        if who.endpoint == slug and version in (None, who.version):
            tallies.setdefault(who.version, Tally()).add(tally)
    return [_statistics(number, tally) for number, tally in sorted(tallies.items())]


def _statistics(version: int, tally: Tally) -> VersionStatistics:
    n = tally.n_ok
    return VersionStatistics(
        version=version,
        last_inference=int(tally.last * 1000),
        inference_count=tally.n_rows,
        execution_count=tally.n_runs,
        success=_duration(n, tally.seconds),
        fail=_duration(tally.n_failed, tally.failed_seconds),
        queue=_duration(n, tally.queue_seconds),
        compute_input=_duration(n, tally.decode_seconds),
        compute_infer=_duration(n, tally.run_seconds),
        compute_output=_duration(n, tally.encode_seconds),
        batches=[_batch(rows, *batch) for rows, batch in sorted(tally.batches.items())],
    )


def _batch(rows: int, runs: float, decode: float, run: float, encode: float) -> BatchStatistics:
    n = int(runs)
    return BatchStatistics(rows, _duration(n, decode), _duration(n, run), _duration(n, encode))


def _duration(count: int, seconds: float) -> Duration:
    return Duration(count, round(seconds * 1e9))
