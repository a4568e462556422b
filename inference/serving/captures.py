"""Captures: keeps a sample of answered requests, where an endpoint asks for it (`capture_bp` of 10 000)."""

from __future__ import annotations

import random
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import partial
from typing import Any

import numpy as np
import structlog

from inference.models import PredictionRecord
from inference.protocol.agreement import prediction_of
from inference.serving.calls import SAMPLED, InferCall, Prediction
from inference.serving.records import RECORDS
from inference.serving.tensor_text import body_text, is_plain, is_surely_longer, n_bytes, named
from registry.artifacts.signature import TensorSpec

log = structlog.get_logger(__name__)
MOST_REQUEST_ID, MOST_PREDICTION = 128, 2_000


def offer(call: InferCall, work: Prediction | None, request_id: str, seconds: float) -> None:
    """Returns at once and never raises; what does not fit is dropped and counted. `work` is None for what failed."""
    if work is None:
        return
    route = work.chosen.route
    if not route.capture_bp or random.random() * 10_000 >= route.capture_bp:  # noqa: S311
        return
    try:
        _keep(call, work, request_id, seconds)
    except Exception:
        log.exception("capture_failed", request_id=request_id)


def _keep(call: InferCall, work: Prediction, request_id: str, seconds: float) -> None:
    """What is surely too long is let go here, so that it does not wait in memory."""
    request, chosen, arrays = work.request, work.chosen, work.arrays
    assert request is not None
    route, signature = chosen.route, chosen.version.signature
    outputs = named(signature.outputs, request.outputs, arrays)
    row = PredictionRecord(
        request_id=request_id[:MOST_REQUEST_ID],
        endpoint_id=route.endpoint_id,
        version_id=chosen.version.id,
        variant=chosen.variant,
        # What a rule or the caller chose is no sample of the traffic, so it belongs to no split's evidence.
        split_id=route.split_id if route.split_id and chosen.reason in SAMPLED else None,
        unit=call.unit,
        at=datetime.now(UTC),
        seconds=seconds,
    )
    if is_surely_longer([*request.inputs.values(), *arrays], route.capture_bytes):
        row.prediction = _short(prediction_of(outputs))
        RECORDS.keep(lambda: row, 0)
        return
    size = n_bytes(request.inputs.values()) + n_bytes(arrays)
    draft = partial(_described, row, signature.inputs, request.inputs, signature.outputs, outputs, route.capture_bytes)
    RECORDS.keep(draft, size)


def _described(
    row: PredictionRecord,
    input_specs: tuple[TensorSpec, ...],
    inputs: Mapping[str, np.ndarray],
    output_specs: tuple[TensorSpec, ...],
    outputs: Mapping[str, np.ndarray],
    most: int,
) -> PredictionRecord:
    """With its texts, where both together take at most `most` bytes: half a request is of no use. Nor is one that
    could not be sent again, because JSON has no word for its values."""
    row.prediction = _short(prediction_of(outputs))
    if not is_plain(inputs.values()):
        return row
    inputs_text = body_text("inputs", input_specs, inputs)
    outputs_text = body_text("outputs", output_specs, outputs)
    if len(inputs_text.encode()) + len(outputs_text.encode()) <= most:
        row.inputs, row.outputs = inputs_text, outputs_text
    return row


def _short(prediction: Any) -> Any:
    """A text as PostgreSQL can hold it."""
    return prediction.replace("\x00", "")[:MOST_PREDICTION] if isinstance(prediction, str) else prediction
