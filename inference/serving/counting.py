"""What the prediction path tells the monitoring about each answer."""

from __future__ import annotations

from inference.monitoring.observe import observe, refuse
from inference.serving.calls import Answered, Chosen, InferCall
from inference.serving.follower import follower
from portal.lib.errors import PortalError


def count_answered(chosen: Chosen, answer: Answered, seconds: float) -> None:
    timing = answer.timing
    observe(
        chosen.served,
        200,
        "",
        seconds,
        answer.n_rows,
        timing.queue,
        timing.run,
        answer.decode_seconds,
        answer.encode_seconds,
        timing.run_rows,
    )


def count_failed(call: InferCall, error: PortalError, seconds: float) -> None:
    """Strangers cannot make up names: an endpoint that there is not is not counted under its name."""
    if call.chosen is not None:
        observe(call.chosen.served, error.status, error.code, seconds)
    else:
        refuse(call.slug if call.slug in follower().routes else "", error.status, error.code)
