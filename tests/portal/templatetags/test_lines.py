from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import NamedTuple

import pytest
from django.template.loader import render_to_string

from portal.templatetags.lines import line_chart, paths_of, sparkline, top_of
from portal.templatetags.traffic import error_percent, per_second

N = "\N{NARROW NO-BREAK SPACE}"
NOON = datetime(2026, 1, 5, 12, 0, tzinfo=UTC)


class Point(NamedTuple):
    at: datetime
    n: int
    values: tuple[float | None, ...]


def points(*values: float | None) -> list[Point]:
    return [
        Point(NOON + timedelta(seconds=10 * i), 0 if value is None else 5, (value,)) for i, value in enumerate(values)
    ]


def test_sparkline__values__run_from_left_to_right_and_from_nought_to_the_largest() -> None:
    assert 'polyline points="0,23.0 500,12.0 1000,1.0"' in sparkline([0, 2, 4], "calls")


def test_sparkline__only_noughts__is_a_flat_line_at_the_foot() -> None:
    assert 'polyline points="0,23.0 1000,23.0"' in sparkline([0, 0], "calls")
    assert sparkline([], "calls") == ""


def test_paths_of__a_gap__breaks_the_line() -> None:
    assert paths_of(points(1.0, 2.0, None, 4.0), 0, 4.0) == ["125.0,75.00 375.0,50.00", "791.7,0.00 958.3,0.00"]


@pytest.mark.parametrize(("most", "top"), [(0, 0.001), (0.0009, 0.001), (0.003, 0.004), (0.5, 0.8), (4, 4), (9, 10)])
def test_top_of__a_value__is_round_in_its_quarters(most: float, top: float) -> None:
    assert top_of(most) == pytest.approx(top)


def test_line_chart__rendered__has_lines_columns_and_a_table_without_style() -> None:
    context = line_chart(points(0.001, None, 0.004), ["p50"], "Time <b>")
    markup = render_to_string("components/_line_chart.html", context)
    assert "style=" not in markup
    assert "<b>" not in markup.split("chart-legend")[0]
    assert f"<title>12:00:20 · p50 4.0{N}ms</title>" in markup
    assert markup.count("<tr>") == 3
    assert [f"<span>{tick}</span>" in markup for tick in (f"4.0{N}ms", f"1.0{N}ms", "0")] == [True] * 3


@pytest.mark.parametrize(("rate", "text"), [(0, "0.0"), (0.04, "0.04"), (12.34, "12.3"), (1234.4, f"1{N}234")])
def test_per_second__a_rate__has_three_digits_or_so(rate: float, text: str) -> None:
    assert per_second(rate) == text


@pytest.mark.parametrize(
    ("share", "text"),
    [(None, "–"), (0.0, f"0{N}%"), (0.00001, f"< 0.01{N}%"), (0.0012, f"0.12{N}%"), (0.25, f"25.0{N}%")],
)
def test_error_percent__a_share__is_never_nought_for_some(share: float | None, text: str) -> None:
    assert error_percent(share) == text
