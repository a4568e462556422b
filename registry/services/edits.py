"""What an edit changed, for the record: an auditor asks which number stood there before."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

# Of a text its beginning is enough to tell what it was about; the record is kept for ever.
MOST_TEXT = 200


def difference(before: Mapping[str, Any], after: Mapping[str, Any]) -> dict[str, Any]:
    """By field `{"from", "to"}`; of tags and metrics only the keys that differ, null where there was or is none."""
    found: dict[str, Any] = {}
    for field in sorted(after):
        old, new = before[field], after[field]
        if isinstance(old, Mapping):
            keys = sorted(key for key in {*old, *new} if old.get(key) != new.get(key))
            if keys:
                found[field] = {key: {"from": _short(old.get(key)), "to": _short(new.get(key))} for key in keys}
        elif old != new:
            found[field] = {"from": _short(old), "to": _short(new)}
    return found


def _short(value: Any) -> Any:
    if isinstance(value, str) and len(value) > MOST_TEXT:
        return value[:MOST_TEXT] + "…"
    return value
