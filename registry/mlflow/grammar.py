"""MLflow's filters and orders: `name LIKE 'iris%' AND tags.stage = 'prod'`, `metrics.acc DESC`. Pure, no database."""

from __future__ import annotations

import re
from typing import NamedTuple

from django.utils.translation import gettext as _

from portal.lib.errors import InvalidInput

MOST_CHARACTERS = 20_000
MOST_CLAUSES = 30
KINDS = {
    "attribute": "attribute", "attributes": "attribute", "attr": "attribute", "run": "attribute", "info": "attribute",
    "tag": "tag", "tags": "tag", "param": "param", "params": "param", "parameter": "param", "parameters": "param",
    "metric": "metric", "metrics": "metric",
}  # fmt: skip
_KEY = r"`(?:[^`])*`|\"(?:[^\"])*\"|[\w./-]+"
_NAME = re.compile(rf"\s*(?:(?P<kind>[A-Za-z]+)\s*\.\s*)?(?P<key>{_KEY})\s*")
_OPERATOR = re.compile(r"(!=|<=|>=|=|<|>|NOT\s+IN\b|IN\b|ILIKE\b|LIKE\b|IS\s+NOT\s+NULL\b|IS\s+NULL\b)\s*", re.I)
_VALUE = re.compile(r"'(?P<single>(?:[^'\\]|\\.|'')*)'|\"(?P<double>(?:[^\"\\]|\\.)*)\"|(?P<number>-?[\d.]+(?:e[+-]?\d+)?)", re.I)  # fmt: skip  # noqa: E501
_AND = re.compile(r"\s*AND\b", re.I)
_DIRECTION = re.compile(r"\s*(ASC|DESC)?\s*\Z", re.I)


class Name(NamedTuple):
    """`kind` is attribute, tag, param or metric."""

    kind: str
    key: str


class Clause(NamedTuple):
    """`operator` in capitals. `values` holds one text, several for IN, none for IS NULL."""

    name: Name
    operator: str
    values: tuple[str, ...]


class Order(NamedTuple):
    name: Name
    is_descending: bool


def _wrong(text: str) -> InvalidInput:
    return InvalidInput(
        _("This filter cannot be read at “%(text)s”: write name = 'value' AND tags.key = 'value'.")
        % {"text": text.strip()[:60]},
        details={"field": "filter"},
    )


def clauses(text: str) -> list[Clause]:
    """Raises InvalidInput, saying where the filter stops making sense."""
    if len(text) > MOST_CHARACTERS:
        raise InvalidInput(_("A filter has at most %(n)s characters.") % {"n": MOST_CHARACTERS})
    found: list[Clause] = []
    at = 0
    while text[at:].strip():
        if found:
            joined = _AND.match(text, at)
            if joined is None:
                raise _wrong(text[at:])
            at = joined.end()
        clause, at = _clause(text, at)
        found.append(clause)
        if len(found) > MOST_CLAUSES:
            raise InvalidInput(_("A filter has at most %(n)s parts.") % {"n": MOST_CLAUSES})
    return found


def _clause(text: str, at: int) -> tuple[Clause, int]:
    name, at = _name(text, at)
    operator = _OPERATOR.match(text, at)
    if operator is None:
        raise _wrong(text[at:] or text)
    word = " ".join(operator[1].upper().split())
    if word.startswith("IS"):
        return Clause(name, word, ()), operator.end()
    values, at = _list(text, operator.end()) if word.endswith("IN") else _one(text, operator.end())
    return Clause(name, word, values), at


def _name(text: str, at: int) -> tuple[Name, int]:
    found = _NAME.match(text, at)
    if found is None:
        raise _wrong(text[at:])
    kind, key = (found["kind"] or "").lower(), found["key"]
    if kind and kind not in KINDS:
        raise _wrong(text[at:])
    return Name(KINDS.get(kind, "attribute"), key.strip('`"')), found.end()


def _one(text: str, at: int) -> tuple[tuple[str, ...], int]:
    found = _VALUE.match(text, at)
    if found is None:
        raise _wrong(text[at:] or text)
    return (_content(found),), found.end()


def _list(text: str, at: int) -> tuple[tuple[str, ...], int]:
    values: list[str] = []
    if text[at : at + 1] != "(":
        raise _wrong(text[at:] or text)
    at += 1
    while True:
        while text[at : at + 1] in (" ", ","):
            at += 1
        if text[at : at + 1] == ")":
            return tuple(values), at + 1
        (value,), at = _one(text, at)
        values.append(value)


def _content(found: re.Match[str]) -> str:
    if found["single"] is not None:
        return re.sub(r"''|\\'", "'", found["single"])
    return found["double"].replace('\\"', '"') if found["double"] is not None else found["number"]


def order(text: str) -> Order:
    """`metrics.acc DESC`; upwards where it says nothing. Raises InvalidInput."""
    try:
        name, at = _name(text[:500], 0)
        direction = _DIRECTION.match(text[:500], at)
    except InvalidInput:
        direction = None
    if direction is None:
        raise InvalidInput(
            _("“%(text)s” is no order: write a name and ASC or DESC.") % {"text": text[:60]},
            details={"field": "order_by"},
        )
    return Order(name, (direction[1] or "").upper() == "DESC")
