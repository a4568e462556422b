"""Shadow: repeats answered requests with another version, off the request path, and counts where the two disagree.

One thread takes what waits, which is bounded; what is over is dropped and counted. The shadow runs apart
(`shadow_session.py`), so the worst that it can do is to be too slow for its queue.
"""

from __future__ import annotations

import os
import random
import threading
from collections import deque
from time import monotonic, sleep, thread_time
from typing import NamedTuple

import structlog

from inference.monitoring.evidence import EVIDENCE
from inference.serving.calls import SAMPLED, InferCall, Prediction
from inference.serving.follower import known_routes
from inference.serving.shadow_run import record_disagreement, shadowed
from inference.serving.shadow_session import ShadowSessions
from inference.serving.tensor_text import n_bytes

log = structlog.get_logger(__name__)
MOST_WAITING, MOST_BYTES = 64, 32 << 20
LOOK_AROUND_SECONDS = 2.0
# For each second of processor time that this thread takes from the others, it rests for so many.
REST = 9.0
# The mirrored arm.
STABLE = "stable"


class Pair(NamedTuple):
    """An answered request that waits for its shadow. `request_id` names the record of a disagreement."""

    work: Prediction
    request_id: str
    n_bytes: int


def offer(call: InferCall, work: Prediction, request_id: str) -> None:
    """Returns at once and never raises; what does not fit is dropped and counted."""
    chosen = work.chosen
    route = chosen.route
    if route.shadow is None or chosen.variant != STABLE or chosen.reason not in SAMPLED:
        return
    if random.random() * 10_000 >= route.mirror_bp:  # noqa: S311
        return
    try:
        MIRROR.put(work, request_id)
    except Exception:
        log.exception("mirror_failed", request_id=request_id)


class Mirror:
    def __init__(self) -> None:
        self.forget()

    def forget(self) -> None:
        """For a forked child, which has none of its parent's threads."""
        self.sessions = ShadowSessions()
        self._changed = threading.Condition()
        self._waiting: deque[Pair] = deque()
        self._n_bytes = 0
        self._thread: threading.Thread | None = None
        self._stopped = False

    def put(self, work: Prediction, request_id: str) -> bool:
        """From any thread. False where there is no room."""
        request, route = work.request, work.chosen.route
        assert request is not None
        size = n_bytes(request.inputs.values()) + n_bytes(work.arrays)
        with self._changed:
            fits = len(self._waiting) < MOST_WAITING and self._n_bytes + size <= MOST_BYTES
            if fits:
                self._waiting.append(Pair(work, request_id, size))
                self._n_bytes += size
                self._changed.notify()
                if self._thread is None:
                    self._thread = threading.Thread(target=self._run, name="mirror", daemon=True)
                    self._thread.start()
        if not fits:
            EVIDENCE.note_dropped(route.split_id)
        return fits

    def stop(self) -> None:
        """Ends the shadows; what waits is let go."""
        with self._changed:
            self._stopped = True
            self._changed.notify()
        self.sessions.keep(())

    # --- the thread ---------------------------------------------------------------------------------------------------

    def _run(self) -> None:
        looked_at = monotonic()
        while not self._stopped:
            pair = self._next()
            if monotonic() - looked_at > LOOK_AROUND_SECONDS:
                self.close_unused()
                looked_at = monotonic()
            if pair is not None:
                begin = thread_time()
                self.repeat(pair)
                sleep(REST * (thread_time() - begin))

    def _next(self) -> Pair | None:
        with self._changed:
            if not self._waiting:
                self._changed.wait(LOOK_AROUND_SECONDS)
            if not self._waiting or self._stopped:
                return None
            pair = self._waiting.popleft()
            self._n_bytes -= pair.n_bytes
            return pair

    def close_unused(self) -> None:
        """Ends the shadows that no route has any more: theirs was promoted, taken back or locked away."""
        routes = known_routes().values()
        self.sessions.keep({route.shadow.sha256 for route in routes if route.shadow is not None})

    def repeat(self, pair: Pair) -> None:
        """Runs the shadow on it and counts the outcome. Never raises."""
        route = pair.work.chosen.route
        try:
            found = shadowed(self.sessions, pair.work)
            if found is None:
                EVIDENCE.note_dropped(route.split_id)
                return
            agreement = found.agreement
            EVIDENCE.note_pair(
                route.split_id,
                disagreed=not agreement.agrees,
                kind=agreement.kind,
                max_abs=agreement.max_abs,
                seconds=found.seconds,
            )
            if not agreement.agrees:
                record_disagreement(pair.work, pair.request_id, found)
        except Exception:
            log.exception("shadow_failed", request_id=pair.request_id)


MIRROR = Mirror()
os.register_at_fork(after_in_child=MIRROR.forget)
