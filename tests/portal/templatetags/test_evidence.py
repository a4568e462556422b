from __future__ import annotations

from datetime import UTC, datetime, timedelta
from math import inf, log
from typing import NamedTuple

import pytest
from django.template.loader import render_to_string

from inference.pages.evidence_words import clock, proof_words, rate_percent
from inference.rollouts.words import e_is, e_value
from portal.templatetags.evidence import Mark, arm_chart, evidence_track, stage_rail, state_badge
from tests.portal.templatetags.test_lines import points

N = "\N{NARROW NO-BREAK SPACE}"
NOON = datetime(2026, 1, 5, 12, 0, tzinfo=UTC)
TRACK = "components/_evidence_track.html"


def marks(*values: float) -> list[Mark]:
    return [Mark(NOON + timedelta(seconds=5 * place), log(value)) for place, value in enumerate(values)]


@pytest.mark.parametrize(
    ("e", "text"),
    [(0.004, "< 0.01"), (0.3149, "0.31"), (1, "1"), (4.23, "4.2"), (14.4, "14"), (1234, f"1{N}234")],
)
def test_e_value__an_e__has_two_digits_or_so(e: float, text: str) -> None:
    assert e_value(log(e)) == text


def test_e_value__beyond_a_million__says_no_more() -> None:
    assert [e_value(value) for value in (inf, 900.0, None)] == [f"> 1{N}000{N}000", f"> 1{N}000{N}000", "–"]
    assert [e_is(value) for value in (inf, 0.0, -9.0)] == [f"> 1{N}000{N}000", "= 1", "< 0.01"]


@pytest.mark.parametrize(("ln_e", "text"), [(-3.0, "1"), (0.0, "1"), (log(7.2), "7.2"), (log(20), "20"), (inf, "20")])
def test_proof_words__a_certificate__runs_from_1_to_20(ln_e: float, text: str) -> None:
    assert proof_words(ln_e) == text


def test_rate_percent__counts__has_two_decimals_where_it_is_small() -> None:
    assert [rate_percent(*pair) for pair in ((1, 800), (3, 60), (0, 5), (0, 0))] == [
        f"0.12{N}%",
        f"5.0{N}%",
        f"0.00{N}%",
        "–",
    ]


@pytest.mark.parametrize(("seconds", "text"), [(0, "0:00"), (252.9, "4:12"), (3852, "1:04:12"), (-1, "0:00")])
def test_clock__seconds__are_minutes_and_hours(seconds: float, text: str) -> None:
    assert clock(seconds) == text


def test_evidence_track__values__lie_on_a_log_scale_below_the_lines() -> None:
    context = evidence_track(marks(1, 10, 400), "Errors", "harm")
    heights = [float(pair.split(",")[1]) for pair in context["line"].split(" ")]
    assert [f"{height:.1f}" for height in heights] == [context["one"], context["hold"], context["back"]]
    # A decade is as high wherever it lies.
    decade = heights[0] - heights[1]
    assert heights[1] - heights[2] == pytest.approx(decade * log(40) / log(10), abs=0.1)
    assert [pair.split(",")[0] for pair in context["line"].split(" ")] == ["0.0", "493.0", "986.0"]


def test_evidence_track__beyond_the_scale__stays_inside() -> None:
    context = evidence_track([Mark(NOON, -500.0), Mark(NOON, 500.0)], "Errors")
    assert context["line"] == "0.0,110.0 986.0,2.0"
    assert context["dot"] == "2.0"


def test_evidence_track__rendered__says_its_value_and_has_a_table_without_style() -> None:
    markup = render_to_string(TRACK, evidence_track(marks(1, 14), "Latency <b>", "holding"))
    assert "style=" not in markup
    assert "<b>" not in markup
    assert 'aria-label="Latency &lt;b&gt;: E = 14, holds at 10, rolls back at 400"' in markup
    assert "<title>12:00:05 · E 14</title>" in markup
    assert markup.count("<tr>") == 3
    assert "track-holding" in markup


def test_evidence_track__without_data__shows_the_lines_and_says_so() -> None:
    markup = render_to_string(TRACK, evidence_track([], "Errors", "waiting"))
    assert "no data yet" in markup
    assert "roll back at 400" in markup
    assert "<polyline" not in markup


@pytest.mark.parametrize(
    ("state", "weight_bp", "words"),
    [
        ("canary", 500, f"Canary at 5{N}%"),
        ("canary", None, "Canary"),
        ("hold", 0, "Holding"),
        ("promoted", 500, "Promoted"),
    ],
)
def test_state_badge__a_state__names_the_share_where_it_has_one(state: str, weight_bp: int | None, words: str) -> None:
    assert state_badge(state, weight_bp).endswith(f"</svg>{words}</span>")


class Step(NamedTuple):
    look: str
    title: str
    said: str = ""
    needs: tuple[tuple[bool, str], ...] = ()
    progress: float | None = None


def test_stage_rail__steps__mark_the_present_one_with_what_it_needs() -> None:
    steps = [
        Step("done", "1 %", "5 min"),
        Step("now", "5 %", "", ((True, "4:12"), (False, "9 of 10")), 0.9),
        Step("waiting", "All"),
    ]
    markup = render_to_string("components/_stage_rail.html", stage_rail(steps))
    assert markup.count('aria-current="step"') == 1
    assert '<li class="now" aria-current="step">' in markup
    assert 'value="0.900" aria-label="Progress of 5 %"' in markup
    assert markup.count('class="met"') == 1
    assert '1 %<span class="sr"> done</span>' in markup


def test_arm_chart__of_an_ended_rollout__has_the_arms_look_and_no_now() -> None:
    context = arm_chart(points(0.001, 0.002), ["stable"], "p50", ended=True)
    assert [css for _name, css, _last in context["series"]] == ["arm-line-stable"]
    assert [css for css, _paths in context["lines"]] == ["arm-line-stable"]
    assert context["times"][-1] == "12:00"
    assert arm_chart(points(0.001, 0.002), ["stable"], "p50")["times"][-1] == "now"
