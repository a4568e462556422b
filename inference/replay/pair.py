"""Stable and candidate side by side, each in a process of its own, so that nothing they do ends the worker.

Both run the same way, so that what differs is the versions. Deaths are logged and no more: a replay touches no traffic,
and must not lock a version away.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from time import monotonic
from typing import NamedTuple

import numpy as np
import structlog
from django.conf import settings

from inference.protocol.agreement import FAILED, Agreement, compare, has_bad_numbers
from inference.protocol.v2 import decode_infer, encode_json
from inference.routing.snapshot import VersionRef
from inference.runtime.deaths import Death
from inference.runtime.isolated.session import IsolatedSession
from inference.serving.opening import opener
from portal.lib.errors import InvalidInput, PortalError

Outputs = dict[str, np.ndarray]
LONGEST_WAIT = 10.0
log = structlog.get_logger(__name__)


class Side(NamedTuple):
    """One version with its session."""

    version: VersionRef
    session: IsolatedSession

    def answer(self, body: bytes, seconds: float, patience: float = LONGEST_WAIT) -> Outputs:
        """Every output by its name. `patience` is for a process that has to be started again first.

        Raises PortalError; InvalidInput where the request does not fit the signature.
        """
        request = decode_infer(body, self.version.signature)
        names = [spec.name for spec in self.version.signature.outputs]
        return dict(zip(names, self._run(request.inputs, seconds, patience), strict=True))

    def _run(self, inputs: Outputs, seconds: float, patience: float) -> list[np.ndarray]:
        try:
            return self.session.run(inputs, deadline=monotonic() + seconds)
        except PortalError as error:
            if error.code != "model_restarting":
                raise
            # An earlier request ended its process; this one has to have its chance.
            time.sleep(min(patience, error.retry_after or 1))
            return self.session.run(inputs, deadline=monotonic() + seconds)

    def as_text(self, outputs: Outputs) -> str:
        """As V2 has it; empty where JSON cannot carry it."""
        specs = self.version.signature.outputs
        arrays = [outputs[spec.name] for spec in specs]
        try:
            return encode_json("", str(self.version.number), None, specs, arrays).decode()
        except PortalError:
            return ""


class Compared(NamedTuple):
    """What came of one request. `has_failed`: the candidate had no sound answer where stable had one."""

    agreement: Agreement
    has_failed: bool
    stable: str
    candidate: str


@contextmanager
def opened(version: VersionRef) -> Iterator[Side]:
    """Raises Unavailable (`model_not_loadable`)."""
    session = IsolatedSession(
        opener(version),
        version.signature,
        memory_bytes=version.memory_bytes,
        limit_bytes=settings.PORTAL_ISOLATED_MEMORY_BYTES,
        sha256=version.sha256,
        on_death=_log_death,
    )
    try:
        yield Side(version, session)
    finally:
        session.close()


def _log_death(death: Death) -> None:
    log.warning("replay_killed_its_process", sha256=death.sha256, cause=death.cause, signal=death.signal)


def ask_both(stable: Side, candidate: Side, body: bytes, seconds: float) -> Compared | None:
    """None where nothing can be compared: stable has no answer itself, or this machine no memory for one.

    Raises InvalidInput where the request does not fit stable's signature.
    """
    try:
        wanted = stable.answer(body, seconds)
    except InvalidInput:
        raise
    except PortalError:
        return None
    try:
        given = candidate.answer(body, seconds)
    except PortalError as error:
        if error.code == "memory_exhausted":
            return None
        return Compared(FAILED, True, stable.as_text(wanted), f"{error.code}: {error}")
    return _compared(stable, candidate, wanted, given)


def _compared(stable: Side, candidate: Side, wanted: Outputs, given: Outputs) -> Compared:
    agreement = compare(wanted, given)
    if has_bad_numbers(given.values()) and not has_bad_numbers(wanted.values()):
        agreement = agreement._replace(agrees=False, kind="error")
    if agreement.agrees:
        return Compared(agreement, False, "", "")
    has_failed = agreement.kind in ("error", "missing")
    return Compared(agreement, has_failed, stable.as_text(wanted), candidate.as_text(given))
