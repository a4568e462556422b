"""How the numbers of a failed golden request are written."""

from __future__ import annotations

import pytest

from inference.golden.comparing import Finding
from inference.golden.words import brief, told


@pytest.mark.parametrize(
    ("value", "text"),
    [(21.0, "21.0"), (0.49504536390304565, "0.495045"), (2.9169493700464955e-06, "2.91695e-06"), (7, "7"), ("a", "a")],
)
def test_brief__a_value__has_six_digits_at_most(value: object, text: str) -> None:
    assert brief(value) == text


def test_told__numbers_alike_in_six_digits__are_told_in_full() -> None:
    finding = Finding("value", "y", [0, 1], 0.3867805004119873, 0.3867805004119874, 1, 2)
    assert told(finding, 0, 0) == (
        "Output “y” at [0, 1] is 0.3867805004119873, expected was 0.3867805004119874. 1 of 2 values are outside the "
        "tolerance (rtol 0, atol 0)."
    )


def test_told__numbers_far_apart__are_told_in_short() -> None:
    finding = Finding("value", "y", [0], 0.30214250087738037, 0.3867805004119873, 1, 1)
    assert told(finding, 0.001, 0).startswith("Output “y” at [0] is 0.302143, expected was 0.386781. 1 of 1 values")
