"""One request run by a shadow: what came out beside the answer that was given, and the record where they disagree."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from time import monotonic, perf_counter
from typing import NamedTuple

import numpy as np

from inference.models import Disagreement
from inference.protocol.agreement import FAILED, Agreement, compare
from inference.protocol.preprocessing import travels_with
from inference.routing.snapshot import VersionRef
from inference.serving.calls import Prediction, read
from inference.serving.codecs import V1
from inference.serving.records import RECORDS
from inference.serving.shadow_session import ShadowSessions
from inference.serving.shadow_watch import Watch
from inference.serving.tensor_text import body_text, named, shortened
from portal.lib.errors import DeadlineExceeded, PortalError, Unavailable
from registry.artifacts.signature import TensorSpec

LONGEST_RUN_SECONDS = 5.0
MOST_TEXT = 16_000
MOST_REQUEST_ID = 128
# A version that cannot be loaded has failed; all else that is unavailable is so for the moment.
FOR_GOOD = {"model_not_loadable", "artifact_tampered"}


class Shadowed(NamedTuple):
    """What the shadow made of a request; `said` is why, where it failed."""

    agreement: Agreement
    outputs: Mapping[str, np.ndarray]
    said: str
    seconds: float


def shadowed(sessions: ShadowSessions, work: Prediction) -> Shadowed | None:
    """None where there is nobody to run it just now, which says nothing about the version."""
    request, chosen, shadow = work.request, work.chosen, work.chosen.route.shadow
    if request is None or shadow is None or shadow.quarantined:
        return None
    stable = named(chosen.version.signature.outputs, request.outputs, work.arrays)
    names = [spec.name for spec in shadow.signature.outputs if spec.name in stable]
    begin = perf_counter()
    watch = None
    try:
        session = sessions.get(shadow)
        if session is None:
            return None
        watch = Watch(sessions, shadow, session)
        until = monotonic() + min(chosen.route.deadline, LONGEST_RUN_SECONDS)
        arrays = session.run(inputs_for(shadow, work), names, deadline=until)
    except PortalError as error:
        if isinstance(error, Unavailable) and error.code not in FOR_GOOD:
            return None
        if isinstance(error, DeadlineExceeded) and watch is not None and not watch.had_time():
            return None
        return Shadowed(FAILED, {}, str(error), perf_counter() - begin)
    seconds = perf_counter() - begin
    outputs = named(shadow.signature.outputs, names, arrays)
    return Shadowed(compare(stable, outputs), outputs, "", seconds)


def inputs_for(shadow: VersionRef, work: Prediction) -> dict[str, np.ndarray]:
    """The request as the shadow would have read it: its manifest may scale otherwise. Raises InvalidInput."""
    request, call = work.request, work.call
    assert request is not None
    theirs = shadow.manifest.get("inputs")
    if call.codec is not V1 or theirs == work.chosen.version.manifest.get("inputs"):
        return request.inputs
    return read(call, shadow.signature, travels_with(shadow.signature, shadow.manifest)).inputs


def record_disagreement(work: Prediction, request_id: str, found: Shadowed) -> None:
    """Its texts are made only where there is room for them."""
    request, route, signature = work.request, work.chosen.route, work.chosen.version.signature
    if request is None or route.shadow is None or route.rollout_id is None or not RECORDS.wants(route.rollout_id):
        return
    stable = named(signature.outputs, request.outputs, work.arrays)
    RECORDS.disagree(
        Disagreement(
            rollout_id=route.rollout_id,
            at=datetime.now(UTC),
            request_id=request_id[:MOST_REQUEST_ID],
            kind=found.agreement.kind,
            max_abs=found.agreement.max_abs,
            inputs=_text("inputs", signature.inputs, request.inputs),
            stable_outputs=_text("outputs", signature.outputs, stable),
            shadow_outputs=found.said.replace("\x00", "")
            or _text("outputs", route.shadow.signature.outputs, found.outputs),
        )
    )


def _text(key: str, specs: Iterable[TensorSpec], arrays: Mapping[str, np.ndarray]) -> str:
    return shortened(body_text(key, specs, arrays, most=MOST_TEXT), MOST_TEXT)
