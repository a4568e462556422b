"""Whose fault an answer was, as far as its status and its code say it."""

from __future__ import annotations

from typing import Literal

Outcome = Literal["ok", "caller", "model", "rejected"]

# Answers with 503 that the version itself caused; all others with 503 mean that the portal did not let it run.
MODEL_FAULTS = frozenset(
    {"model_not_loadable", "artifact_tampered", "device_failed", "model_restarting", "memory_exhausted"}
)
# A deadline that ran out before the model's turn came says nothing about the model.
WAITED_TOO_LONG = "deadline_in_queue"


def outcome_of(status: int, code: str) -> Outcome:
    """`model`: an exception, a timeout, or values that fit the signature but were refused. Only these count against a
    version; `caller` errors and what was `rejected` before it ran never do."""
    if status < 400:
        return "ok"
    if status == 503:
        return "model" if code in MODEL_FAULTS else "rejected"
    if status == 504:
        return "rejected" if code == WAITED_TOO_LONG else "model"
    if status == 429:
        return "rejected"
    return "model" if status == 422 or status >= 500 else "caller"


def is_reject(status: int) -> bool:
    """Refused for want of room or time, whoever caused it."""
    return status in (429, 503, 504)
