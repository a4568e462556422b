"""One reported truth, checked before anything looks for its prediction. Pure but for the words of the sentences."""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

from django.utils.translation import gettext as _

from portal.lib.errors import InvalidInput, PortalError
from portal.lib.request_ids import WELL_FORMED

FIELDS = {"endpoint", "request_id", "label", "reward", "at"}
LONGEST_TEXT = 1_000
MOST_ITEMS = 1_000
# Squares of rewards are summed up; they have to stay numbers.
LARGEST_REWARD = 1e15
LARGEST_WHOLE = 2**63
EARLIEST = datetime(2000, 1, 1, tzinfo=UTC)
# Clocks differ.
AHEAD = timedelta(minutes=5)


class Report(NamedTuple):
    """`place` counts what was sent from 0. `at` says when the truth was known, None: on arrival."""

    place: int
    endpoint: str
    request_id: str
    label: Any = None
    reward: float | None = None
    at: datetime | None = None


class Rejected(NamedTuple):
    place: int
    code: str
    message: str

    def as_json(self) -> dict[str, Any]:
        return {"index": self.place, "code": self.code, "message": self.message}


def rejected(place: int, error: PortalError) -> Rejected:
    return Rejected(place, error.code, error.message)


def read_report(place: int, item: Any, now: datetime, endpoint: str = "") -> Report:
    """`endpoint` is meant where the item names none. Raises InvalidInput naming the field."""
    if not isinstance(item, Mapping):
        raise _wrong("invalid_outcome", "", _("An outcome is an object with request_id, and label, reward or both."))
    unknown = sorted(str(name) for name in set(item) - FIELDS)
    if unknown:
        sentence = _("An outcome has no field “%(name)s”: it takes endpoint, request_id, label, reward and at.")
        raise _wrong("unknown_field", "", sentence % {"name": unknown[0][:64]})
    label, reward = _label(item.get("label")), _reward(item.get("reward"))
    if label is None and reward is None:
        raise _wrong("no_truth", "label", _("Give a label, a reward, or both."))
    slug = item.get("endpoint", endpoint)
    return Report(
        place,
        slug if isinstance(slug, str) else "",
        _request_id(item.get("request_id")),
        label,
        reward,
        _at(item.get("at"), now),
    )


def _request_id(value: Any) -> str:
    if isinstance(value, str) and WELL_FORMED.fullmatch(value):
        return value
    sentence = _("Give the X-Request-Id of the prediction: up to 128 letters, digits and . : - _")
    raise _wrong("invalid_request_id", "request_id", sentence)


def _label(value: Any) -> Any:
    items = value if isinstance(value, list) else [value]
    if value is None:
        return None
    if len(items) > MOST_ITEMS or not all(_is_plain(item) for item in items):
        sentence = _("A label is text of up to 1 000 characters, a finite number, true, false, or a list of such.")
        raise _wrong("invalid_label", "label", sentence)
    return value


def _is_plain(item: Any) -> bool:
    if isinstance(item, str):
        return _is_text(item)
    if isinstance(item, float):
        return math.isfinite(item)
    return isinstance(item, int) and abs(item) <= LARGEST_WHOLE


def _is_text(item: str) -> bool:
    """PostgreSQL keeps neither NUL nor half a character."""
    return len(item) <= LONGEST_TEXT and not any(sign == "\0" or "\ud800" <= sign <= "\udfff" for sign in item)


def _reward(value: Any) -> float | None:
    if value is None:
        return None
    if type(value) not in (int, float) or not abs(value) <= LARGEST_REWARD:
        raise _wrong("invalid_reward", "reward", _("A reward is a number from -1e15 to 1e15."))
    return float(value)


def _at(value: Any, now: datetime) -> datetime | None:
    if value is None:
        return None
    sentence = _("“at” is a time such as 2026-03-01T12:00:00Z, from the year 2000 on and not in the future.")
    try:
        moment = datetime.fromisoformat(value)
        moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
        fits = EARLIEST <= moment <= now + AHEAD
    except (TypeError, ValueError, OverflowError):
        fits = False
    if not fits:
        raise _wrong("invalid_at", "at", sentence)
    return moment.astimezone(UTC)


def _wrong(code: str, field: str, sentence: str) -> InvalidInput:
    return InvalidInput(sentence, code=code, details={"field": field} if field else {})
