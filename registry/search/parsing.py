"""What people type into the search, taken apart. Pure.

    fraud "two words"          each has to stand in a name, a description or a tag
    tag:team=risk tag:team     a tag with this value; a tag at all
    metric:accuracy>0.9        > >= < <= =, or only the name
    owner:anna project:risk    who registered it; where
    alias:champion status:ready input:FP32 output:label

Values with spaces stand in double quotes: tag:"cost centre"="north east".
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from math import isfinite

from django.utils.translation import gettext as _

from portal.lib.errors import InvalidInput

KEYS = ("tag", "metric", "owner", "project", "alias", "status", "input", "output")
OPERATORS = {">": "gt", ">=": "gte", "<": "lt", "<=": "lte", "=": "exact"}
MOST_TERMS = 12
_PIECE = re.compile(r'(?:[^\s"]|"[^"]*")+')
_KEY = re.compile(r"([A-Za-z_]+):(.*)\Z", re.DOTALL)
_METRIC = re.compile(r"(.+?)(>=|<=|>|<|=)(.*)\Z", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Term:
    """`tag` and `metric` have a `name`; `operator` is a lookup of the ORM, empty where only the name was asked."""

    key: str
    value: str = ""
    name: str = ""
    operator: str = ""
    number: float = 0.0


@dataclass(frozen=True, slots=True)
class Search:
    words: list[str] = field(default_factory=list)
    terms: list[Term] = field(default_factory=list)


def parse(text: str) -> Search:
    """Raises InvalidInput with the sentence that says what to type."""
    if text.count('"') % 2:
        raise _wrong(_("A double quote is open: close it, or leave it out."))
    found = Search()
    for piece in _PIECE.findall(text):
        match = _KEY.match(piece)
        if match:
            found.terms.append(_term(match[1].lower(), match[2]))
        elif word := _bare(piece):
            found.words.append(word)
    if len(found.words) + len(found.terms) > MOST_TERMS:
        raise _wrong(_("That is more than %(n)s terms: leave some out.") % {"n": MOST_TERMS})
    return found


def _wrong(sentence: str) -> InvalidInput:
    return InvalidInput(sentence, code="invalid_search", details={"field": "search"})


def _bare(text: str) -> str:
    return text.replace('"', "").strip()


def _term(key: str, rest: str) -> Term:
    if key not in KEYS:
        raise _wrong(
            _("There is nothing to search for by “%(key)s:”. Use %(keys)s, or put the words into double quotes.")
            % {"key": key, "keys": ", ".join(f"{known}:" for known in KEYS)}
        )
    if not _bare(rest):
        raise _wrong(_("Say what to look for after “%(key)s:”.") % {"key": key})
    if key == "metric":
        return _metric(rest)
    if key == "tag":
        name, is_given, value = _outside_quotes(rest, "=")
        return Term("tag", _bare(value), _bare(name), "exact" if is_given else "")
    return Term(key, _bare(rest))


def _outside_quotes(text: str, sign: str) -> tuple[str, bool, str]:
    """`text` cut at the first `sign` that stands in no quotes."""
    quoted = False
    for place, character in enumerate(text):
        quoted ^= character == '"'
        if character == sign and not quoted:
            return text[:place], True, text[place + 1 :]
    return text, False, ""


def _metric(rest: str) -> Term:
    match = _METRIC.match(rest)
    if match is None:
        return Term("metric", name=_bare(rest))
    try:
        number = float(_bare(match[3]))
    except ValueError:
        number = float("nan")
    if not isfinite(number):
        raise _wrong(_("“%(text)s” compares with no number: type it like metric:accuracy>0.9.") % {"text": rest[:60]})
    return Term("metric", name=_bare(match[1]), operator=OPERATORS[match[2]], number=number)
