"""What is done after an answer of a watched route: it is counted as evidence, mirrored, captured.

The caller does not wait for it, but the event loop does: each part only takes note and returns.
"""

from __future__ import annotations

from inference.monitoring.evidence import EVIDENCE
from inference.serving import captures, mirror
from inference.serving.calls import InferCall, Prediction


def after(call: InferCall, work: Prediction | None, status: int, code: str, seconds: float, request_id: str) -> None:
    """`work` is None for what failed. `seconds` as in `observe`. Never raises."""
    chosen = call.chosen
    assert chosen is not None
    route = chosen.route
    if chosen.is_evidence:
        finite, fits = (True, True) if work is None else (work.is_finite, work.fits)
        EVIDENCE.note(route, chosen.variant, call.unit, status, code, seconds, finite, fits)
    if route.shadow is not None and work is not None and chosen.is_evidence:
        mirror.offer(call, work, request_id)
    if route.capture_bp:
        captures.offer(call, work, request_id, seconds)
