"""From what was heard of a child, and how it ended, to the report. A death by signal is a verdict on the model."""

from __future__ import annotations

import signal
import time
from dataclasses import replace
from typing import Any

from registry.artifacts.conversation import Conversation
from registry.artifacts.limits import Limits
from registry.artifacts.report import Rejection, Report

STARVED = "validation_starved"
_PHRASES = {"lint": "reading", "checker": "checking", "load": "loading", "probe": "running"}
LOST = Rejection("validation_lost", "Validating this file ended its worker three times, so it is not taken.")
MISSING = Rejection(
    "artifact_missing", "The bytes of this version are not in the store any more: upload the file again."
)


def judge(conversation: Conversation, limits: Limits, seconds: float) -> Report:
    assert conversation.verdict is not None
    sandbox = {**conversation.sandbox, "seconds": round(seconds, 4), "cpu_seconds": conversation.verdict["cpu_seconds"]}
    ended_well = conversation.verdict["exit"] == 0 and conversation.verdict["signal"] == 0
    if conversation.report is not None and ended_well and not conversation.broken:
        return replace(conversation.report, sandbox=sandbox)
    rejection = _death(conversation, limits)
    return Report.rejected(rejection, steps=_steps_until_death(conversation, seconds), sandbox=sandbox)


def _death(conversation: Conversation, limits: Limits) -> Rejection:
    verdict = conversation.verdict or {}
    doing = _PHRASES[conversation.steps[-1][0]] if conversation.steps else "opening"
    killer = verdict["signal"]
    if verdict["starved"]:
        return Rejection(
            STARVED,
            f"The server had too much else to do while {doing} the model. Upload it again when it has less to do, or "
            "give its worker more processors.",
        )
    if verdict["timed_out"] or killer == signal.SIGXCPU:
        took = (
            f"{limits.wall_seconds:g} seconds" if verdict["timed_out"] else f"{limits.cpu_seconds} seconds of computing"
        )
        return Rejection(
            "validation_timeout",
            f"The validation was stopped after {took} while {doing} the model. Look for loops with very many steps, or "
            "make the model smaller.",
        )
    if verdict["exit"] == 2 or killer == signal.SIGKILL:
        return Rejection(
            "needs_too_much_memory",
            f"{doing.capitalize()} the model needs more memory than the server gives it. Make it smaller, for example "
            "by quantizing it.",
        )
    if killer:
        return Rejection(
            "crashes_runtime",
            f"This model crashes the runtime ({_signal_name(killer)}) while {doing} it. Export it again with another "
            "opset or exporter version, and run it with onnxruntime on your machine first.",
        )
    return Rejection(
        "validation_failed", f"The validation ended without a result while {doing} the model. Upload it again."
    )


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


def _steps_until_death(conversation: Conversation, seconds: float) -> tuple[dict[str, Any], ...]:
    """The last step that began is the one that failed."""
    began = [at for _, at in conversation.steps]
    ends = [*began[1:], time.monotonic()]
    return tuple(
        {"name": name, "status": "ok" if index < len(began) - 1 else "failed", "seconds": round(end - at, 4)}
        for index, ((name, at), end) in enumerate(zip(conversation.steps, ends, strict=False))
    )
