"""JSON read strictly and fast: orjson, plus the checks that it leaves out.

orjson refuses NaN, Infinity, numbers beyond a double, invalid UTF-8 and trailing bytes. It silently keeps the last of
duplicate keys and nests up to 1 024 levels.
"""

from __future__ import annotations

import re
from typing import Any

import orjson

from portal.lib.errors import InvalidInput

MAX_DEPTH = 64
LETTER_R, LETTER_L = b"rl"
STRING = re.compile(rb'"(?:[^"\\]++|\\.)*+"', re.DOTALL)


def parse_object(body: bytes) -> dict[str, Any]:
    """The document as an object. Duplicate keys and depth are for the caller: see the other functions."""
    try:
        document = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise InvalidInput(
            f"The body is not valid JSON: {error.msg} (line {error.lineno}, column {error.colno}).", code="invalid_json"
        ) from None
    if type(document) is not dict:
        raise InvalidInput("The body must be a JSON object.", code="invalid_json")
    return document


def parse_small_object(body: bytes) -> dict[str, Any]:
    """Like `parse_object`, with the checks for duplicate keys and depth; an empty body is an empty object."""
    if not body.strip():
        return {}
    document = parse_object(body)
    check_no_duplicates(body, count_keys(document, level=1))
    return document


def may_hold_bools(body: bytes) -> bool:
    """False if neither `true` nor `false` stands anywhere in the body. A byte is found much faster than a word."""
    return (LETTER_R in body and b"true" in body) or (LETTER_L in body and b"false" in body)


def count_keys(value: Any, level: int = 2) -> int:
    """How many keys a part of a document holds; `level` is the depth at which it stands (the document itself is 1)."""
    if not isinstance(value, dict | list):
        return 0
    n_keys, layer = 0, [value]
    while layer:
        if level > MAX_DEPTH:
            raise InvalidInput(f"The body is nested deeper than {MAX_DEPTH} levels.", code="too_deep")
        n_keys += sum(len(node) for node in layer if type(node) is dict)
        children = (child for node in layer for child in (node.values() if type(node) is dict else node))
        layer = [child for child in children if isinstance(child, dict | list)]
        level += 1
    return n_keys


def check_no_duplicates(body: bytes, n_keys: int) -> None:
    """Raise InvalidInput if the body spells more keys than the parsed document holds, that is, spells one twice.

    Every key has one colon, and the other colons stand in strings: only where the plain count does not match are the
    strings cut out.
    """
    if body.count(b":") != n_keys and STRING.sub(b"", body).count(b":") != n_keys:
        raise InvalidInput("A key stands twice in one object of the body.", code="duplicate_key")
