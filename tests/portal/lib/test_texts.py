"""What can be stored, how a file's name is shown, what counts as a reason."""

from __future__ import annotations

from typing import Any

import pytest

from portal.lib.errors import InvalidInput
from portal.lib.texts import MAX_REASON, check_reason, display_name, is_storable, is_text


@pytest.mark.parametrize("text", ["", "a", "ä\n\t", "🦀", "\u202e", "\x01", "\ufffd"])
def test_is_storable__what_utf8_and_postgresql_hold__true(text: str) -> None:
    assert is_storable(text)


@pytest.mark.parametrize("text", ["\x00", "a\x00b", "\ud800", "a\udfff", "\udc00\ud800"])
def test_is_storable__nul_or_half_a_pair__false(text: str) -> None:
    assert not is_storable(text)


@pytest.mark.parametrize(
    ("value", "ok"), [("abc", True), ("", True), ("abcd", False), ("a\x00", False), (None, False), (b"abc", False)]
)
def test_is_text__a_storable_text_of_at_most_three(value: Any, ok: bool) -> None:
    assert is_text(value, 3) is ok


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("model.onnx", "model.onnx"),
        ("../../etc/passwd", "passwd"),
        ("C:\\models\\a.onnx", "a.onnx"),
        ("a\x00\x07\ud800b\u202e.onnx", "ab.onnx"),
        ("x" * 300, "x" * 255),
        ("a/", ""),
    ],
)
def test_display_name__last_segment_and_printable(name: str, shown: str) -> None:
    assert display_name(name) == shown


@pytest.mark.parametrize("reason", ["", "  \n", "a\x00", "\ud800", "x" * (MAX_REASON + 1), None, 5])
def test_check_reason__none_given_or_not_storable__refused(reason: Any) -> None:
    with pytest.raises(InvalidInput) as caught:
        check_reason(reason)
    assert (caught.value.code, caught.value.details) == ("reason_required", {"field": "reason"})


def test_check_reason__not_required__may_be_empty_but_not_unstorable() -> None:
    check_reason("", required=False)
    check_reason("x" * MAX_REASON)
    with pytest.raises(InvalidInput):
        check_reason("\x00", required=False)
