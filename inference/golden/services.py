"""Keeping and dropping golden requests, and asking for a run."""

from __future__ import annotations

import json
import math
from typing import Any

from django.db import IntegrityError, transaction
from django.utils.translation import gettext as _

from inference.golden.answering import answer_now, check_may_answer, check_ready
from inference.golden.comparing import read_expected, tensors_of
from inference.models import GoldenRequest
from inference.protocol.v2 import decode_infer
from inference.selectors.golden import digest_of, golden_of
from inference.selectors.signatures import signature_of
from portal.lib.errors import Conflict, InvalidInput, TooLarge
from registry.access import policy
from registry.access.principal import Principal
from registry.models import ModelVersion, RegisteredModel
from registry.services import audit
from registry.services.doorbell import ring

TASK = "inference.tasks.run_golden"
MOST_REQUESTS = 50
MOST_BYTES = 262_144
MOST_NAME = 100
USUAL_RTOL, USUAL_ATOL = 1e-3, 1e-5


def add_golden(
    principal: Principal,
    model: RegisteredModel,
    *,
    name: str,
    request: Any,
    expected: Any = None,
    record_from: ModelVersion | None = None,
    rtol: float = USUAL_RTOL,
    atol: float = USUAL_ATOL,
) -> GoldenRequest:
    """`request` is a V2 body, of which the inputs are kept. Without `expected` it is what `record_from` answers now.

    Raises InvalidInput naming the field, TooLarge, or Conflict (`golden_name_taken`, `too_many_golden`).
    """
    policy.require(principal, "golden.edit", model.project_id)
    row = GoldenRequest(
        model=model,
        name=_checked_name(name),
        request=_inputs_of(request),
        rtol=_tolerance(rtol, "rtol"),
        atol=_tolerance(atol, "atol"),
        recorded_from=record_from,
        created_by_id=principal.user_id,
    )
    if record_from is None and expected is None:
        raise _wrong(
            "expected", _("Give the outputs that are expected, or in record_from the version that answers them.")
        )
    if record_from is not None:
        answered = recorded(record_from, row.request)
        expected = answered if expected is None else expected
    read_expected(expected)
    row.expected = _storable(expected, "expected")
    return _add(principal, row)


def _checked_name(name: str) -> str:
    name = name.strip() if isinstance(name, str) else ""
    if not 0 < len(name) <= MOST_NAME or not name.isprintable():
        raise _wrong("name", _("A name has 1 to %(n)s printable characters.") % {"n": MOST_NAME})
    return name


def _inputs_of(request: Any) -> dict[str, Any]:
    if type(request) is not dict or type(request.get("inputs")) is not list or not request["inputs"]:
        raise _wrong("request", _("The request is a V2 body: an object with “inputs”, a list of tensors."))
    kept: dict[str, Any] = _storable({"inputs": request["inputs"]}, "request")
    return kept


def _storable(value: Any, field: str) -> Any:
    """As PostgreSQL can keep it: plain JSON without NUL, and not too long."""
    try:
        text = json.dumps(value, ensure_ascii=False, allow_nan=False).encode()
    except (ValueError, RecursionError):
        raise _wrong(field, _("%(field)s holds what JSON cannot carry.") % {"field": field}) from None
    if b"\\u0000" in text:
        raise _wrong(field, _("%(field)s holds a NUL character, which cannot be kept.") % {"field": field})
    if len(text) > MOST_BYTES:
        raise TooLarge(
            _("%(field)s has %(n)s bytes; a golden request may have %(most)s.")
            % {"field": field, "n": len(text), "most": MOST_BYTES},
            details={"field": field},
        )
    return value


def _tolerance(value: Any, field: str) -> float:
    if type(value) not in (int, float) or not math.isfinite(value) or not 0 <= value <= 1e9:
        raise _wrong(field, _("%(field)s has to be a number from 0 on.") % {"field": field})
    return float(value)


def _wrong(field: str, sentence: str) -> InvalidInput:
    return InvalidInput(sentence, details={"field": field})


def recorded(version: ModelVersion, request: dict[str, Any]) -> list[dict[str, Any]]:
    """What the version answers now."""
    check_may_answer(version)
    signature = signature_of(version)
    try:
        inputs = decode_infer(json.dumps(request).encode(), signature).inputs
    except InvalidInput as error:
        error.details["field"] = "request"
        raise
    return tensors_of(signature.outputs, answer_now(version, inputs).outputs)


def _add(principal: Principal, row: GoldenRequest) -> GoldenRequest:
    try:
        with transaction.atomic():
            # Also keeps two at once from going over the limit.
            RegisteredModel.objects.select_for_update().get(pk=row.model_id)
            _check_room(row)
            row.save(force_insert=True)
            details = {"name": row.name, "recorded_from": row.recorded_from and row.recorded_from.number}
            audit.record(principal, "golden.added", row.model, project_id=row.model.project_id, details=details)
    except IntegrityError:
        raise Conflict(
            _("A golden request of this model is named “%(name)s” already.") % {"name": row.name},
            code="golden_name_taken",
            details={"field": "name"},
        ) from None
    return row


def _check_room(row: GoldenRequest) -> None:
    if golden_of(row.model).count() >= MOST_REQUESTS:
        raise Conflict(
            _("A model may have %(n)s golden requests: delete one first.") % {"n": MOST_REQUESTS},
            code="too_many_golden",
        )


def delete_golden(principal: Principal, row: GoldenRequest) -> None:
    policy.require(principal, "golden.edit", row.model.project_id)
    with transaction.atomic():
        details = {"name": row.name, "request": row.request, "expected": row.expected}
        audit.record(principal, "golden.deleted", row.model, project_id=row.model.project_id, details=details)
        row.delete()


def ask_for_run(principal: Principal, version: ModelVersion) -> int:
    """A worker runs all golden requests of the model; how many there are. Without any nothing happens."""
    policy.require(principal, "golden.run", version.model.project_id)
    check_ready(version)
    requests = list(golden_of(version.model))
    if not requests:
        return 0
    with transaction.atomic():
        details = {"set_digest": digest_of(requests)}
        audit.record(principal, "golden.asked", version, project_id=version.model.project_id, details=details)
        transaction.on_commit(lambda: ring(TASK, version.pk, "asked", queue="validation"))
    return len(requests)
