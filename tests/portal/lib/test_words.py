from __future__ import annotations

import pytest

from portal.lib import words

N = "\N{NARROW NO-BREAK SPACE}"


@pytest.mark.parametrize(
    ("value", "text"),
    [(None, "–"), ("", "–"), (0, "0"), (999, "999"), (12_345, f"12{N}345"), (1_000_000, f"1{N}000{N}000")],
)
def test_number__any_size__groups_by_three(value: object, text: str) -> None:
    assert words.number(value) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "–"),
        (0, f"0{N}B"),
        (999, f"999{N}B"),
        (1_000, f"1.0{N}kB"),
        (99_940, f"99.9{N}kB"),
        (409_600, f"410{N}kB"),
        (999_700, f"1.0{N}MB"),
        (5 * 10**9, f"5.0{N}GB"),
        (5 * 10**15, f"5000{N}TB"),
    ],
)
def test_size__any_size__keeps_two_or_three_digits(value: int | None, text: str) -> None:
    assert words.size(value) == text


@pytest.mark.parametrize(("weight_bp", "text"), [(10_000, "100"), (9_000, "90"), (50, "0.5"), (1, "0.01"), (0, "0")])
def test_percent__of_basis_points__loses_nothing(weight_bp: int, text: str) -> None:
    assert words.plain_percent(weight_bp) == text
    assert words.percent(weight_bp) == f"{text}{N}%"


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "–"),
        (0.000_007, f"7{N}µs"),
        (0.0014, f"1.4{N}ms"),
        (0.038, f"38{N}ms"),
        (0.9994, f"999{N}ms"),
        (1.25, f"1.2{N}s"),
        (42.0, f"42{N}s"),
        (240.0, f"4{N}min"),
        (7_200.0, f"2.0{N}h"),
    ],
)
def test_seconds__any_duration__takes_the_unit_that_reads_best(value: float | None, text: str) -> None:
    assert words.seconds(value) == text
