"""Whether a shadow that ran out of time had the time at all.

It lets all others go first, so on a busy machine it may get hardly any processor: that says nothing about the version.
"""

from __future__ import annotations

import os
from time import monotonic, sleep

from inference.routing.snapshot import VersionRef
from inference.runtime.isolated.session import IsolatedSession
from inference.serving.shadow_session import ShadowSessions

# It had its time with this share of one processor, or with so many times what validation measured and a bit.
LITTLE = 0.5
MANY_RUNS, A_BIT_SECONDS = 20, 0.1
TOLD_WITHIN_SECONDS = 0.5


class Watch:
    """Begins with a run. `had_time` is asked after one that ended too late."""

    def __init__(self, sessions: ShadowSessions, shadow: VersionRef, session: IsolatedSession) -> None:
        self._sessions = sessions
        self._shadow = shadow
        self._pid = session.pid
        self._n_deaths = sessions.deaths[shadow.sha256]
        self._began = monotonic()
        self._used = _processor_seconds(self._pid)

    def had_time(self) -> bool:
        used = _processor_seconds(self._pid)
        if self._used is None:
            return False
        if used is None:
            return self._is_blamed()
        share = LITTLE * (monotonic() - self._began)
        return used - self._used >= min(share, A_BIT_SECONDS + MANY_RUNS * self._shadow.run_seconds)

    def _is_blamed(self) -> bool:
        """It was ended for not stopping: of one that could not stop, no death is told."""
        end = monotonic() + TOLD_WITHIN_SECONDS
        while self._sessions.deaths[self._shadow.sha256] == self._n_deaths:
            if monotonic() > end:
                return False
            sleep(0.01)
        return True


def _processor_seconds(pid: int | None) -> float | None:
    """What a process has used; None where it is gone."""
    try:
        with open(f"/proc/{pid}/stat", encoding="ascii", errors="replace") as file:
            fields = file.read().rpartition(")")[2].split()
    except OSError:
        return None
    return None if fields[0] == "Z" else (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
