"""Which answers are slow only because a session is new. They say nothing about a version, so their time is left out.

After a load the first answers are left out *of both arms* of a split, until each has had as many: else the arm whose
session happens to be older would look quicker. That they failed, if they did, is counted: a failed answer is one to
whoever got it, and a version that always fails should not get twenty more in each process before it is noticed.
"""

from __future__ import annotations

from inference.routing.snapshot import Route

N_WARM_UP = 20
MOST_SPLITS = 1_000


class WarmUp:
    """How many answers of one arm are still left out."""

    __slots__ = ("digest", "left")

    def __init__(self, digest: str, left: int = 0) -> None:
        self.digest = digest
        self.left = left


class WarmUps:
    """Those of one process. Not for several threads. `n_loads` grows by one with every session that is loaded."""

    def __init__(self) -> None:
        self.n_loads = 0
        self._loads: dict[str, int] = {}
        self._settled: dict[str, int] = {}
        self._arms: dict[int, dict[str, WarmUp]] = {}
        self._seen: dict[int, int] = {}

    def note_load(self, digest: str) -> None:
        self.n_loads += 1
        self._loads[digest] = self._loads.get(digest, 0) + 1

    def of(self, route: Route, variant: str) -> WarmUp:
        """The one of an arm, which stays the same object. Ask again after a load: the arm may have to begin anew."""
        if self._seen.get(route.split_id) != self.n_loads:
            self._look(route)
        return self._arms[route.split_id][variant]

    def take(self, arm: WarmUp) -> None:
        """One answer less is left out."""
        arm.left -= 1
        if arm.left == 0:
            self._settled[arm.digest] = self._loads.get(arm.digest, 0)

    def _look(self, route: Route) -> None:
        if len(self._seen) >= MOST_SPLITS:
            self._seen.clear()
            self._arms.clear()
        self._seen[route.split_id] = self.n_loads
        digests = {key: target.version.sha256 for key, target in route.targets.items()}
        arms = self._arms.get(route.split_id)
        if arms is None:
            arms = self._arms[route.split_id] = {key: WarmUp(digest) for key, digest in digests.items()}
        if any(self._settled.get(digest, 0) < self._loads.get(digest, 0) for digest in digests.values()):
            for arm in arms.values():
                arm.left = N_WARM_UP
