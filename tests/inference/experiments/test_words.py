from __future__ import annotations

import pytest

from inference.experiments.words import amount, between, change, srm_odds

N, M = "\N{NARROW NO-BREAK SPACE}", "\N{MINUS SIGN}"


@pytest.mark.parametrize(
    ("metric", "value", "text"),
    [
        ("error", None, "–"),
        ("error", 0.0, f"0.0{N}%"),
        ("error", 0.00043, f"0.043{N}%"),
        ("error", 0.0312, f"3.12{N}%"),
        ("agreement", 0.981, f"98.1{N}%"),
        ("latency", 0.038, f"38{N}ms"),
        ("reward", -12.3456, f"{M}12.35"),
    ],
)
def test_amount__a_value__has_the_metrics_unit(metric: str, value: float | None, text: str) -> None:
    assert amount(metric, value) == text


@pytest.mark.parametrize(
    ("metric", "value", "text"),
    [
        ("error", 0.012, "+1.20 points"),
        ("agreement", -0.149, f"{M}14.9 points"),
        ("latency", -0.012, f"{M}12{N}ms"),
        ("reward", 0.5, "+0.5"),
        ("reward", None, "–"),
    ],
)
def test_change__a_difference__has_its_sign(metric: str, value: float | None, text: str) -> None:
    assert change(metric, value) == text


def test_between__two_ends__say_a_shared_unit_once() -> None:
    assert between("error", -0.198, 0.012) == f"{M}19.8 to +1.20 points"
    assert between("latency", -0.01, 0.5) == f"{M}10{N}ms to +500{N}ms"
    assert between("reward", -1.0, 2.0) == f"{M}1 to +2"


@pytest.mark.parametrize(("ln_e", "text"), [(0.0, "1"), (6.0, "403"), (20.0, "over a million")])
def test_srm_odds__an_e_value__in_words(ln_e: float, text: str) -> None:
    assert srm_odds({"srm_ln": ln_e}) == text
