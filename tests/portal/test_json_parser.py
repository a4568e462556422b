"""Bodies of the management API: one JSON object, read strictly."""

from __future__ import annotations

import io
from typing import Any

import pytest

from portal.api import StrictJSONParser
from portal.lib.errors import InvalidInput, TooLarge


def parse(body: bytes) -> dict[str, Any]:
    return StrictJSONParser().parse(io.BytesIO(body))


def test_parse__object__as_it_stands() -> None:
    assert parse(b'{"a": {"b": [1, 2.5, null, true, "\xc3\xbc"]}}') == {"a": {"b": [1, 2.5, None, True, "ü"]}}


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b"1",
        b"null",
        b'"x"',
        b'{"a": 1} {}',
        b'{"a": NaN}',
        b'{"a": Infinity}',
        b'{"a": 1e999}',
        b'{"a": 1, "a": 2}',
        b'{"a": {"b": 1, "b": 2}}',
        b"{'a': 1}",
        b'{"a": 01}',
        b"\xff",
        b'{"a": "\xff"}',
        b'\xef\xbb\xbf{"a": 1}',
        b'{"a": "\\ud800"}',
        b'{"a":' * 65 + b"1" + b"}" * 65,
        b'{"a":' * 5000 + b"1" + b"}" * 5000,
    ],
    ids=lambda body: repr(body[:20]),
)
def test_parse__anything_else__refused(body: bytes) -> None:
    with pytest.raises(InvalidInput) as caught:
        parse(body)
    assert str(caught.value).endswith(".")


def test_parse__deep_but_permitted__read() -> None:
    assert parse(b'{"a":' * 64 + b"1" + b"}" * 64)


def test_parse__over_the_limit__too_large(settings: Any) -> None:
    settings.DATA_UPLOAD_MAX_MEMORY_SIZE = 20
    assert parse(b'{"a": 1}') == {"a": 1}
    with pytest.raises(TooLarge):
        parse(b'{"a": "%s"}' % (b"x" * 20))
