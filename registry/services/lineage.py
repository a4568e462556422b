"""Where a version comes from: its parent, the training run, the data, the code.

Said once, with the upload, and never changed afterwards: what a version was made from does not change either.

    {"parent": 3,                                             another version of the same model
     "run": {"id": "9f2c…", "name": "lr-0.01", "url": "https://…", "experiment": "churn"},
     "data": "s3://lake/claims/2026-03 @ 7d1e",               text or an address
     "code": "https://git.example.org/risk/train/commit/41ac"}
"""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

from django.utils.translation import gettext as _

from portal.lib.errors import InvalidInput
from portal.lib.texts import is_text
from registry.models import ModelVersion, RegisteredModel

TEXTS = ("data", "code")
RUN_TEXTS = ("id", "name", "url", "experiment")
MOST_CHARACTERS = 2_000


def check_lineage(model: RegisteredModel, value: Any) -> dict[str, Any]:
    """What `ModelVersion.lineage` keeps: the known keys, without empty ones. Raises InvalidInput."""
    if not isinstance(value, dict):
        raise _wrong(_('“lineage” has to be an object such as {"parent": 3, "data": "claims of March"}.'))
    _refuse_unknown(value, ("parent", "run", *TEXTS), "lineage")
    kept = {
        "parent": _parent(model, value.get("parent")),
        "run": _run(value.get("run")),
        **{key: _text(value.get(key), f"lineage.{key}") for key in TEXTS},
    }
    return {key: part for key, part in kept.items() if part not in (None, "", {})}


def _wrong(sentence: str) -> InvalidInput:
    return InvalidInput(sentence, code="invalid_lineage", details={"field": "lineage"})


def _refuse_unknown(value: dict[Any, Any], known: tuple[str, ...], where: str) -> None:
    unknown = sorted(str(key)[:60] for key in value if key not in known)
    if unknown:
        raise _wrong(
            _("“%(where)s” has no key “%(key)s”: it takes %(known)s.")
            % {"where": where, "key": unknown[0], "known": ", ".join(known)}
        )


def _parent(model: RegisteredModel, number: Any) -> int | None:
    if number is None:
        return None
    right = isinstance(number, int) and not isinstance(number, bool) and 0 < number < 2**31
    if not right or not ModelVersion.objects.filter(model=model, number=number, deleted_at=None).exists():
        raise _wrong(
            _("“lineage.parent” has to be the number of another version of “%(model)s”.") % {"model": model.name}
        )
    return int(number)


def _run(value: Any) -> dict[str, str]:
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise _wrong(_('“lineage.run” has to be an object such as {"id": "9f2c", "url": "https://…"}.'))
    _refuse_unknown(value, RUN_TEXTS, "lineage.run")
    kept = {key: _text(value.get(key), f"lineage.run.{key}") for key in RUN_TEXTS}
    if kept["url"] and not is_address(kept["url"]):
        raise _wrong(_("“lineage.run.url” has to begin with https:// or http://."))
    return {key: text for key, text in kept.items() if text}


def _text(value: Any, where: str) -> str:
    if value is None:
        return ""
    if not is_text(value, MOST_CHARACTERS):
        raise _wrong(
            _("“%(where)s” has to be text of at most %(n)s characters.") % {"where": where, "n": MOST_CHARACTERS}
        )
    text: str = value.strip()
    return text


def is_address(text: str) -> bool:
    """Whether the text is one whole http(s) address, so that a page may link to it."""
    try:
        parts = urlsplit(text)
    except ValueError:
        return False
    return parts.scheme in ("http", "https") and bool(parts.netloc) and not any(c.isspace() for c in text)
