"""Rules for texts that people send: what can be stored, how a file's name is shown, what counts as a reason."""

from __future__ import annotations

from typing import Any

from django.utils.translation import gettext as _

from portal.lib.errors import InvalidInput

MAX_REASON = 2_000
MAX_FILE_NAME = 255


def is_storable(text: str) -> bool:
    """Whether PostgreSQL and UTF-8 can hold it: no NUL, and no half of a pair of surrogates."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return "\x00" not in text


def is_text(value: Any, most: int) -> bool:
    """Whether it is a text of at most `most` characters that can be stored."""
    return isinstance(value, str) and len(value) <= most and is_storable(value)


def display_name(file_name: str) -> str:
    """Only ever shown: the last path segment, printable, at most 255 characters."""
    last = file_name.replace("\\", "/").rsplit("/", 1)[-1]
    return "".join(character for character in last if character.isprintable())[:MAX_FILE_NAME]


def check_reason(reason: Any, *, required: bool = True) -> None:
    """Raises InvalidInput (`reason_required`)."""
    if not is_text(reason, MAX_REASON) or (required and not reason.strip()):
        raise InvalidInput(
            _("Give a reason of 1 to %(n)s characters: it goes to the record.") % {"n": MAX_REASON},
            code="reason_required",
            details={"field": "reason"},
        )
