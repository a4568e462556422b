"""What one serving process keeps running beside its requests, from its start to its end."""

from __future__ import annotations

import threading

from django.conf import settings

from inference.monitoring.flusher import Flusher
from inference.monitoring.state import Gauges
from inference.serving.crashes import CrashWatch
from inference.serving.follower import follower, stop_follower
from inference.serving.lane import PredictionLane
from inference.serving.memory import recycle_if_grown
from inference.serving.mirror import MIRROR
from inference.serving.records import RECORDS
from inference.serving.schedule import process_scheduler
from inference.serving.sessions import session_pool

HOUSEKEEPING_SECONDS = 5.0


class ServingUnit:
    def __init__(self, lane: PredictionLane) -> None:
        self._lane = lane
        self._flusher: Flusher | None = None
        self._crashes = CrashWatch()
        self._ended = threading.Event()

    def start(self, seconds: float) -> None:
        """Blocks until what is live is loaded, `seconds` at most: without PostgreSQL it starts too, and says 503."""
        self._crashes.begin()
        follower().wait_fresh_once(seconds)
        self._flusher = Flusher(self.gauges, process=follower().id)
        self._flusher.start()
        threading.Thread(target=self._keep_house, name="housekeeping", daemon=True).start()

    def stop(self) -> None:
        self._ended.set()
        stop_follower()
        MIRROR.stop()
        RECORDS.stop()
        if self._flusher is not None:
            self._flusher.stop()
        process_scheduler().close()
        self._crashes.end()

    def gauges(self) -> Gauges:
        stats = session_pool().stats()
        versions = [target.version for route in follower().routes.values() for target in route.targets.values()]
        return Gauges(
            in_flight=self._lane.n_in_flight,
            queue=process_scheduler().waiting(),
            n_sessions=len(stats),
            session_bytes=sum(stat.memory_bytes for stat in stats),
            n_quarantined=len({version.id for version in versions if version.quarantined}),
        )

    def _keep_house(self) -> None:
        while not self._ended.wait(HOUSEKEEPING_SECONDS):
            stats = session_pool().stats()
            self._crashes.look_around()
            process_scheduler().forget_all_but(stat.digest for stat in stats)
            recycle_if_grown(sum(stat.memory_bytes for stat in stats), settings.PORTAL_RECYCLE_BYTES)
