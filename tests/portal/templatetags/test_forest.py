from __future__ import annotations

import re
from typing import NamedTuple

import pytest

from portal.templatetags.forest import domain, forest, got_of

Interval = tuple[float, float, float]


class Row(NamedTuple):
    key: str
    label: str
    interval: Interval | None


MARKS = [(-1.0, "-1"), (0.0, "none"), (1.0, "+1")]


def numbers(markup: str, name: str) -> list[str]:
    return re.findall(rf'{name}="([^"]*)"', markup)


def test_domain__nothing_measured__is_the_band_with_its_margin() -> None:
    assert domain([Row("b", "b", None)], 1.0) == pytest.approx((-1.12, 1.12))


def test_domain__wide_intervals__holds_them_all() -> None:
    rows = [Row("b", "b", (0.0, -4.0, 2.0)), Row("c", "c", (5.0, 4.0, 6.0))]
    assert domain(rows, 1.0) == pytest.approx((-4.6, 6.6))


def test_forest__an_interval__lies_where_its_numbers_say() -> None:
    markup = forest([Row("b", "b is 0.5", (0.5, 0.0, 1.0))], 1.0, MARKS, "Plot")
    # From -1.12 to 1.12, so that 0 is the middle.
    assert 'x1="50.00%" x2="94.64%" y1="35" y2="35"' in markup
    assert 'cx="72.32%"' in markup
    assert 'class="arm-fill-b"' in markup
    assert 'aria-label="Plot. b is 0.5"' in markup
    assert 'height="72"' in markup


def test_forest__no_interval_yet__draws_the_words_only() -> None:
    markup = forest([Row("b", "b: too little", None)], 1.0, MARKS, "Plot")
    assert "<circle" not in markup
    assert "b: too little</text>" in markup


def test_forest__marks_too_close__keeps_no_difference() -> None:
    markup = forest([Row("b", "b", (50.0, 40.0, 60.0))], 1.0, MARKS, "Plot")
    assert re.findall(r'opacity="0.75">([^<]*)<', markup) == ["none"]
    assert ">+1<" in forest([Row("b", "b", None)], 1.0, MARKS, "Plot")


def test_forest__pale__is_greyed_out() -> None:
    row = Row("b", "b", None)
    assert 'opacity="0.4">' in forest([row], 1.0, MARKS, "Plot", pale=True)
    assert 'opacity="0.4">' not in forest([row], 1.0, MARKS, "Plot")


def test_forest__hostile_text__is_escaped_and_nothing_has_a_style() -> None:
    markup = forest([Row("<b>", "<script>", (0.5, 0.0, 1.0))], 1.0, [(0.0, "<i>")], '"><b>')
    assert "<script>" not in markup
    assert "<i>" not in markup
    assert "<b>" not in markup
    assert "style" not in markup
    assert "arm-fill-other" in numbers(markup, "class")


@pytest.mark.parametrize(("part", "whole", "text"), [(0, 10, "0"), (5, 10, "50"), (999, 1_000, "99"), (9, 3, "100")])
def test_got_of__counts__in_percent(part: int, whole: int, text: str) -> None:
    assert got_of(part, whole) == f"{text} %"


def test_got_of__nothing_planned__is_nothing() -> None:
    assert got_of(3, 0) == "0 %"
