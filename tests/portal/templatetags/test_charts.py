from __future__ import annotations

import re
from typing import NamedTuple
from xml.etree import ElementTree

from portal.templatetags.charts import heat_counts, heat_strip, in_words, meter, traffic_bar

SVG = "{http://www.w3.org/2000/svg}"
N = "\N{NARROW NO-BREAK SPACE}"


class Arm(NamedTuple):
    key: str
    version: int
    weight_bp: int


STABLE, CANARY = Arm("stable", 1, 9_000), Arm("canary", 2, 1_000)


def parts(markup: str) -> list[tuple[str, str]]:
    """(x, width) of the bar's segments."""
    svg = ElementTree.fromstring(markup).find("svg")
    assert svg is not None
    return [(segment.attrib["x"], segment.attrib["width"]) for segment in svg.findall("svg")]


def test_traffic_bar__two_arms__stand_side_by_side_in_true_proportion() -> None:
    assert parts(traffic_bar([STABLE, CANARY])) == [("0%", "90%"), ("90%", "10%")]


def test_traffic_bar__an_arm_without_weight__is_left_out() -> None:
    assert parts(traffic_bar([Arm("stable", 1, 10_000), Arm("canary", 2, 0)])) == [("0%", "100%")]


def test_traffic_bar__its_label__says_all_that_it_shows() -> None:
    assert f'aria-label="stable version 1: 90{N}%, canary version 2: 10{N}%"' in traffic_bar([STABLE, CANARY])
    assert in_words([]) == "No traffic yet"


def test_traffic_bar__nothing_live__is_an_outline() -> None:
    assert "traffic-empty" in traffic_bar([])


def test_traffic_bar__a_sliver__carries_no_text() -> None:
    markup = traffic_bar([Arm("stable", 1, 9_950), Arm("canary", 2, 50)])
    assert re.findall(r">([^<>]*v\d[^<>]*)<", markup) == ["stable · v1"]


def test_traffic_bar__a_key_with_markup__is_escaped_and_gets_the_common_look() -> None:
    markup = traffic_bar([Arm("<script>", 1, 10_000)])
    assert "<script>" not in markup
    assert "arm-fill-other" in markup


def test_charts__whatever_they_draw__carry_no_style_attribute() -> None:
    drawn = traffic_bar([STABLE, CANARY]) + heat_strip(["done", "partial", "failed"]) + meter(1, 2)
    assert "style=" not in drawn


def test_heat_strip__partly_failed_cell__is_done_with_a_foot() -> None:
    looks = re.findall(r'class="heat-(\w+)"', heat_strip(["done", "partial", "running"]))
    assert looks == ["done", "done", "flaw", "running"]


def test_heat_strip__its_label__counts_the_states() -> None:
    assert 'aria-label="2 done, 1 waiting"' in heat_strip(["done", "done", "waiting"])
    assert [(state, n) for state, _word, n in heat_counts(["done", "waiting", "done"])] == [("done", 2), ("waiting", 1)]


def test_heat_strip__no_chunk_yet__draws_nothing() -> None:
    assert heat_strip([]) == ""


def test_meter__beyond_its_ends__stays_inside() -> None:
    assert [re.findall(r'width="([\d.]+)"', meter(value, 4))[0] for value in (-1, 0, 1, 9)] == [
        "0.00",
        "0.00",
        "25.00",
        "100.00",
    ]
