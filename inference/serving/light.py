"""Which predictions run on the event loop itself: those that cost it less than handing over to a thread would.

What validation measured decides first. A version that turns out slower on average, with other shapes or rows, goes to
the threads until it is quicker again; one slow run says nothing, as it may have been this process that had to wait.
"""

from __future__ import annotations

from inference.serving.calls import Prediction

LIGHT_RUN_SECONDS = 0.0002
LIGHT_BODY_BYTES = 16_384
LIGHT_IN_ALL_SECONDS = 0.002
# The average of the last hundred runs or so, from which on a version is too slow for the loop.
TOO_SLOW_SECONDS = 0.001
WEIGHT = 0.01

_means: dict[str, float] = {}


def is_light(work: Prediction) -> bool:
    """Decodes the body where that alone is cheap, as the number of rows counts too. Raises what decoding raises."""
    version, call = work.chosen.version, work.call
    if version.run_seconds > LIGHT_RUN_SECONDS or version.isolated or len(call.body) > LIGHT_BODY_BYTES:
        return False
    if call.encoding or _means.get(work.digest, 0.0) > TOO_SLOW_SECONDS:
        return False
    work.decode()
    return version.run_seconds + (work.n_rows - 1) * version.row_seconds <= LIGHT_IN_ALL_SECONDS


def note_run(digest: str, seconds: float) -> None:
    """A run of a version that is light by its measurement, wherever it ran."""
    mean = _means.get(digest)
    _means[digest] = seconds if mean is None else mean + WEIGHT * (seconds - mean)
