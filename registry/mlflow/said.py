"""What a call says: the query of a GET, else the JSON object of the body; read field by field, each with its type."""

from __future__ import annotations

import json
from typing import Any

from django.conf import settings
from django.http import HttpRequest
from django.utils.translation import gettext as _

from portal.lib.errors import InvalidInput, TooLarge

MOST_CHARACTERS = 100_000


def wrong(sentence: str, field: str = "") -> InvalidInput:
    return InvalidInput(sentence, details={"field": field} if field else None)


def can_be_kept(text: str) -> bool:
    """PostgreSQL takes no NUL, UTF-8 no half of a surrogate pair."""
    return "\x00" not in text and not any("\ud800" <= character <= "\udfff" for character in text)


class Said:
    """Fields by name. Every reader raises InvalidInput where the field has another type."""

    def __init__(self, fields: dict[str, Any]) -> None:
        self._fields = fields

    def __contains__(self, name: str) -> bool:
        return self._fields.get(name) is not None

    def text(self, name: str, default: str = "") -> str:
        value = self._fields.get(name)
        if value is None:
            return default
        if isinstance(value, int) and not isinstance(value, bool):
            value = str(value)
        if not isinstance(value, str) or len(value) > MOST_CHARACTERS or not can_be_kept(value):
            raise wrong(
                _("“%(name)s” has to be text of at most %(n)s characters.") % {"name": name, "n": MOST_CHARACTERS}, name
            )
        return value

    def required(self, name: str) -> str:
        value = self.text(name)
        if not value:
            raise wrong(_("Missing value for required parameter “%(name)s”.") % {"name": name}, name)
        return value

    def number(self, name: str, default: int = 0) -> int:
        """A whole number that fits into 64 bits; protobuf writes those as text."""
        value = self._fields.get(name)
        if value is None:
            return default
        try:
            found = int(value) if isinstance(value, (int, str)) and not isinstance(value, bool) else None
        except ValueError:
            found = None
        if found is None or abs(found) >= 2**63:
            raise wrong(_("“%(name)s” has to be a whole number.") % {"name": name}, name)
        return found

    def decimal(self, name: str) -> float:
        """A number; protobuf writes NaN and the infinities as text."""
        value = self._fields.get(name, 0.0)
        try:
            return float("nan") if isinstance(value, bool) else float(value)
        except (TypeError, ValueError, OverflowError):
            raise wrong(_("“%(name)s” has to be a number.") % {"name": name}, name) from None

    def flag(self, name: str) -> bool:
        return self._fields.get(name) in (True, "true", "True")

    def items(self, name: str) -> list[Any]:
        value = self._fields.get(name)
        if value is None:
            return []
        if not isinstance(value, list):
            value = [value]
        if len(value) > 1000:
            raise wrong(_("“%(name)s” takes at most 1 000 items.") % {"name": name}, name)
        return value

    def texts(self, name: str) -> list[str]:
        return [Said({name: item}).text(name) for item in self.items(name)]

    def objects(self, name: str) -> list[Said]:
        items = self.items(name)
        if not all(isinstance(item, dict) for item in items):
            raise wrong(_("“%(name)s” has to be a list of objects.") % {"name": name}, name)
        return [Said(item) for item in items]

    def pairs(self, name: str, *, once: bool = False) -> dict[str, str]:
        """`[{"key", "value"}]` as a dictionary; of a key that comes again the last counts, or none where it may not."""
        found: dict[str, str] = {}
        for item in self.objects(name):
            key, value = item.required("key"), item.text("value")
            if once and found.get(key, value) != value:
                raise wrong(_("“%(key)s” comes twice, with different values.") % {"key": key[:100]}, name)
            found[key] = value
        return found


def read(request: HttpRequest) -> Said:
    """Raises InvalidInput, or TooLarge."""
    if request.method == "GET":
        lists = dict(request.GET.lists())
        return Said({key: values[0] if len(values) == 1 else values for key, values in lists.items()})
    body = request.read(settings.DATA_UPLOAD_MAX_MEMORY_SIZE + 1)
    if len(body) > settings.DATA_UPLOAD_MAX_MEMORY_SIZE:
        raise TooLarge(_("The body is larger than %(n)s bytes.") % {"n": settings.DATA_UPLOAD_MAX_MEMORY_SIZE})
    try:
        document = json.loads(body) if body.strip() else {}
    except (ValueError, RecursionError):
        document = None
    if not isinstance(document, dict):
        raise wrong(_("The body has to be one JSON object."))
    return Said(document)
