"""How a request finds its variant: the rules first, then the bucket of its key, else chance.

`assignment` says what the key of a request is:

    {} or {"by": "header"}                the header X-Routing-Key, where it is sent
    {"by": "header", "name": "X-User"}    another header
    {"by": "token"}                       the public part of the caller's token
    {"by": "field", "name": "user_id"}    a parameter of a V2 request, or a top-level key of the body
    {"by": "request"}                     nothing: every request is drawn anew, and keys are ignored

A request without its key is drawn at random. `rules` are looked at before; the first that matches decides:

    {"header": "X-Tenant", "equals": "acme", "variant": "canary"}
    {"token": ["1f2e3d4c"], "variant": "stable"}
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping
from typing import Any, NamedTuple

from portal.lib.errors import InvalidInput

WAYS = ("header", "token", "field", "request")
MAX_KEY_BYTES = 1024
MAX_RULES = 100
MAX_TEXT = 200
HEADER = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")
FIELD = re.compile(r"[^\x00-\x1f\x7f]{1,64}")
# The public part of a token. What is longer may hold its secret, which has no place in a rule.
TOKEN = re.compile(r"(?:swy_)?([A-Za-z0-9]{1,16})")
SECRET_HEADERS = frozenset({"authorization", "cookie", "proxy-authorization"})


class Assignment(NamedTuple):
    """`header` is the name as ASGI has it: bytes, in lower case."""

    by: str
    name: str = ""
    header: bytes = b""


class Rule(NamedTuple):
    """Either `header` and `equals`, in bytes, or `tokens`, the public parts of some."""

    variant: str
    header: bytes = b""
    equals: bytes = b""
    tokens: frozenset[str] = frozenset()

    def matches(self, headers: Mapping[bytes, bytes], token: str) -> bool:
        return headers.get(self.header) == self.equals if self.header else token in self.tokens


def compile_assignment(data: Mapping[str, str]) -> Assignment | None:
    """None for the usual way, the header X-Routing-Key."""
    by, name = data.get("by", "header"), data.get("name", "")
    if by == "header":
        return Assignment(by, name, name.lower().encode()) if name else None
    return Assignment(by, name)


def compile_rules(data: Iterable[Mapping[str, Any]], variants: Collection[str]) -> tuple[Rule, ...]:
    """Without those whose variant the split does not have."""
    return tuple(_rule(item) for item in data if item["variant"] in variants)


def _rule(item: Mapping[str, Any]) -> Rule:
    if "header" in item:
        return Rule(item["variant"], item["header"].lower().encode(), item["equals"].encode())
    return Rule(item["variant"], tokens=frozenset(item["token"]))


def first_match(rules: Iterable[Rule], headers: Mapping[bytes, bytes], token: str) -> str | None:
    """The variant that the rules send a request to, if any does."""
    return next((rule.variant for rule in rules if rule.matches(headers, token)), None)


def key_from_bytes(value: bytes | None) -> str | None:
    """A header's value as the text that is hashed; what is no UTF-8, or too long, is replaced or cut off."""
    return value[:MAX_KEY_BYTES].decode("utf-8", "replace") if value else None


def key_from_document(document: Any, name: str) -> str | None:
    """The field of a request body: in `parameters` first, as V2 has it, else beside them.

    Text is taken as it is and a whole number in its digits. Anything else is no key.
    """
    if type(document) is not dict:
        return None
    parameters = document.get("parameters")
    found = parameters if type(parameters) is dict and name in parameters else document
    value = found.get(name)
    if type(value) is int:
        return str(value)
    return key_from_bytes(value.encode("utf-8", "surrogatepass")) if type(value) is str else None


# --- what people may write --------------------------------------------------------------------------------------------


def check_assignment(data: Any) -> dict[str, str]:
    """`data` as it is to be kept. Raises InvalidInput (`invalid_assignment`)."""
    if data is None or data == {}:
        return {}
    if type(data) is not dict or data.get("by") not in WAYS or not set(data) <= {"by", "name"}:
        raise _assignment('"assignment" takes "by", which is header, token, field or request, and for some a "name".')
    by, name = data["by"], data.get("name")
    if by == "header":
        return {"by": by} if name in (None, "") else {"by": by, "name": _header(name, _assignment)}
    if by == "field":
        if type(name) is not str or not FIELD.fullmatch(name):
            raise _assignment('An assignment by field needs its "name": 1 to 64 characters.')
        return {"by": by, "name": name}
    if name not in (None, ""):
        raise _assignment(f'An assignment by {by} takes no "name".')
    return {"by": by}


def check_rules(data: Any, variants: Collection[str]) -> list[dict[str, Any]]:
    """`data` as it is to be kept. Raises InvalidInput (`invalid_rule`), which names the rule."""
    if data is None:
        return []
    if type(data) is not list or len(data) > MAX_RULES:
        raise InvalidInput(f'"rules" must be a list of at most {MAX_RULES} rules.', code="invalid_rule")
    return [_checked(item, position, variants) for position, item in enumerate(data)]


def _checked(item: Any, position: int, variants: Collection[str]) -> dict[str, Any]:
    def wrong(sentence: str) -> InvalidInput:
        return InvalidInput(f"Rule {position + 1}: {sentence}", code="invalid_rule", details={"rule": position})

    if type(item) is not dict or set(item) not in ({"header", "equals", "variant"}, {"token", "variant"}):
        raise wrong('it takes "variant", and either "header" with "equals" or "token".')
    variant = item["variant"]
    if type(variant) is not str or variant not in variants:
        raise wrong(f"its variant must be one of: {', '.join(sorted(variants))}.")
    if "token" in item:
        return {"token": _tokens(item["token"], wrong), "variant": variant}
    return {"header": _header(item["header"], wrong), "equals": _value(item["equals"], wrong), "variant": variant}


def _tokens(value: Any, wrong: Any) -> list[str]:
    names = [value] if type(value) is str else value
    if type(names) is not list or not 0 < len(names) <= MAX_RULES:
        raise wrong(f'"token" must be a list of 1 to {MAX_RULES} tokens, each by its public part.')
    found = [TOKEN.fullmatch(name) if type(name) is str else None for name in names]
    if None in found:
        raise wrong("name a token by its public part only, the 8 characters after swy_.")
    return [match[1] for match in found if match]


def _header(value: Any, wrong: Any) -> str:
    if type(value) is not str or not HEADER.fullmatch(value):
        raise wrong("a header's name has 1 to 64 letters, digits, hyphens and underscores.")
    if value.lower() in SECRET_HEADERS:
        raise wrong(f"the header {value} holds secrets: choose another one.")
    return value


def _value(value: Any, wrong: Any) -> str:
    if type(value) is not str or not 0 < len(value) <= MAX_TEXT or not value.isprintable():
        raise wrong(f'"equals" must be text of 1 to {MAX_TEXT} printable characters.')
    return value


def _assignment(sentence: str) -> InvalidInput:
    return InvalidInput(sentence[0].upper() + sentence[1:], code="invalid_assignment", details={"field": "assignment"})
