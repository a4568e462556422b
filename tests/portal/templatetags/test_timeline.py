from __future__ import annotations

from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest

from inference.selectors.history import Served, Share, Stretch
from portal.templatetags.timeline import (
    figure,
    lineage_lines,
    metric_trend,
    outside,
    signed,
    tag_query,
    ticks,
    timeline_of,
)
from registry.pages.lineage_graph import Row

NOON = datetime(2026, 1, 5, 12, 0, tzinfo=UTC)
HOUR = timedelta(hours=1)
ENDPOINT: Any = SimpleNamespace(slug="iris")


def stretch(since: float, until: float | None, *shares: tuple[str, int, int]) -> Stretch:
    end = None if until is None else NOON + until * HOUR
    return Stretch(NOON + since * HOUR, end, tuple(Share(*share) for share in shares), "Promoted", "anna", "why")


def test_timeline__two_versions__each_has_a_lane_with_bars_as_wide_as_its_time_and_as_high_as_its_share() -> None:
    parts = [stretch(5, None, ("stable", 1, 5_000), ("canary", 2, 5_000)), stretch(0, 5, ("stable", 1, 10_000))]
    line = timeline_of(Served(ENDPOINT, parts, False), NOON, NOON + 10 * HOUR)
    assert [(lane.version, lane.now_bp) for lane in line.lanes] == [(2, 5_000), (1, 5_000)]
    assert '<rect class="arm-fill-canary" x="50.000%" width="50.000%" y="11.0" height="11.0">' in line.lanes[0].bars
    assert '<rect class="arm-fill-stable" x="0.000%" width="50.000%" y="0.0" height="22.0">' in line.lanes[1].bars
    assert "v1 · stable · 100" in line.lanes[1].bars
    assert "2026-01-05 12:00 – 2026-01-05 17:00" in line.lanes[1].bars


def test_timeline__a_moment_among_months__is_still_to_be_seen() -> None:
    parts = [stretch(9.9999, None, ("stable", 1, 10_000))]
    bars = timeline_of(Served(ENDPOINT, parts, False), NOON, NOON + 10 * HOUR).lanes[0].bars
    assert 'x="99.600%" width="0.400%"' in bars


def test_timeline__more_versions_than_lanes__keeps_those_that_were_live_last() -> None:
    parts = [stretch(20 - n, 21 - n if n > 1 else None, ("stable", 21 - n, 10_000)) for n in range(1, 21)]
    line = timeline_of(Served(ENDPOINT, parts, False), NOON, NOON + 20 * HOUR)
    assert [lane.version for lane in line.lanes] == list(range(20, 8, -1))
    assert line.n_hidden == 8


def test_timeline__nothing_was_live__has_no_lane() -> None:
    assert timeline_of(Served(ENDPOINT, [], False), NOON, NOON).lanes == []


def test_ticks__hours_or_days__are_as_fine_as_the_time_is_long() -> None:
    assert ticks(NOON, NOON + 4 * HOUR)[1:] == [*(f"{13 + n}:00" for n in range(3)), "now"]
    assert ticks(NOON, NOON + 40 * 24 * HOUR) == ["5 Jan", "15 Jan", "25 Jan", "4 Feb", "now"]


def test_lineage_lines__what_passes_ends_and_goes_on__is_a_line_each() -> None:
    svg = lineage_lines(Row(2, 0, (2,), (0, 1), True, (3, 4)), 3)
    assert svg.count("<line ") == 4
    assert '<line x1="38" y1="0" x2="38" y2="100%"/>' in svg
    assert '<line x1="24" y1="0" x2="10" y2="21"/>' in svg
    assert '<line x1="10" y1="21" x2="10" y2="100%"/>' in svg
    assert '<circle class="knot" cx="10" cy="21" r="5"/>' in svg
    assert 'width="48"' in svg


def test_metric_trend__the_two_compared__are_marked_between_lowest_and_highest() -> None:
    svg = metric_trend([(1, 0.5), (2, 1.0), (3, 0.75)], 1, 2, "<auc>")
    assert 'points="4.0,86.0 50.0,14.0 96.0,50.0"' in svg
    assert '<circle class="trend-a" r="4.5" cx="4.0%" cy="86.0%"/>' in svg
    assert '<circle class="trend-b" r="4.5" cx="50.0%" cy="14.0%"/>' in svg
    assert 'aria-label="&lt;auc&gt;"' in svg


def test_metric_trend__all_the_same__lies_in_the_middle() -> None:
    assert 'points="4.0,50.0 96.0,50.0"' in metric_trend([(1, 0.5), (2, 0.5)], 1, 2, "auc")


def test_figure__small_large_and_plain__stay_short() -> None:
    assert [figure(value) for value in (0.96144, 0, 1, 2.1e-5, 1e200, -3.5, 0.5)] == [
        "0.9614",
        "0",
        "1",
        "2.1e-05",
        "1e+200",
        "-3.5",
        "0.5",
    ]


def test_outside__an_address_or_a_text__only_the_first_is_a_link() -> None:
    assert outside("https://a.b/c", "run").startswith('<a href="https://a.b/c" rel="nofollow')
    for text in ("javascript:alert(1)", "data:text/html,x", "//a.b", "see https://a.b", "<b>"):
        assert "<a " not in outside(text, text)
        assert "<b>" not in outside(text, text)


def test_tag_query__any_tag__is_searched_for_as_it_is() -> None:
    assert tag_query("a b", "c&d") == "tag%3A%22a%20b%22%3D%22c%26d%22"
    assert tag_query("k", "") == "tag%3A%22k%22"


def test_metric_trend__a_metric_of_the_newest_version_only__stands_where_that_version_stands() -> None:
    assert 'cx="96.0%"' in metric_trend([(3, 0.5)], 1, 3, "auc", [1, 2, 3])
    assert 'cx="4.0%"' in metric_trend([(3, 0.5)], 1, 3, "auc")


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.021, "+0.021"), (-0.03, "\N{MINUS SIGN}0.03"), (0.0, "0"), (146_000, "+146\N{NARROW NO-BREAK SPACE}000")],
)
def test_signed__a_change__has_its_sign_and_no_more_digits_than_tell(value: float, text: str) -> None:
    assert signed(value) == text
