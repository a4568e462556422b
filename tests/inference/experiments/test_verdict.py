from __future__ import annotations

import pytest

from inference.analysis.sequences import Interval
from inference.experiments.verdict import Code, Standing, judge, standing_of, turned

BETTER, WORSE = Interval(0.3, 0.1, 0.5), Interval(-0.3, -0.5, -0.1)
SAME, OPEN = Interval(0.01, -0.02, 0.04), Interval(0.1, -0.1, 0.3)
SLIGHT = Interval(0.02, 0.01, 0.03)
D = 0.05


@pytest.mark.parametrize(
    ("gain", "standing"),
    [
        (None, Standing.WAITING),
        (BETTER, Standing.BETTER),
        (WORSE, Standing.WORSE),
        (SAME, Standing.SAME),
        (SLIGHT, Standing.SAME),
        (OPEN, Standing.OPEN),
        (Interval(0.1, 0.0, 0.2), Standing.OPEN),
        (Interval(0.0, -0.05, 0.05), Standing.OPEN),
    ],
)
def test_standing_of__an_interval__says_where_it_lies(gain: Interval | None, standing: Standing) -> None:
    assert standing_of(gain, D) == standing


@pytest.mark.parametrize(
    ("gains", "code", "arm"),
    [
        ({"b": None}, Code.UNDECIDED, "b"),
        ({"b": OPEN}, Code.UNDECIDED, "b"),
        ({"b": BETTER}, Code.WINNER, "b"),
        ({"b": WORSE}, Code.LOSER, "b"),
        ({"b": SAME}, Code.NO_DIFFERENCE, "b"),
        ({"b": BETTER, "c": Interval(0.4, 0.2, 0.6)}, Code.WINNER, "c"),
        ({"b": BETTER, "c": None}, Code.WINNER, "b"),
        ({"b": WORSE, "c": Interval(-0.2, -0.3, -0.1)}, Code.LOSER, "c"),
        ({"b": WORSE, "c": SAME}, Code.NO_DIFFERENCE, "c"),
        ({"b": WORSE, "c": OPEN}, Code.UNDECIDED, "c"),
        ({"b": WORSE, "c": None}, Code.UNDECIDED, "b"),
    ],
)
def test_judge__intervals__give_a_word_and_whom_it_is_about(
    gains: dict[str, Interval | None], code: Code, arm: str
) -> None:
    decision = judge(gains, D, is_trusted=True)
    assert (decision.code, decision.arm) == (code, arm)


def test_judge__keys_that_cannot_be_trusted__name_no_winner() -> None:
    assert judge({"b": BETTER}, D, is_trusted=False).code == Code.UNTRUSTED


def test_turned__less_is_better__swaps_the_ends() -> None:
    assert turned(Interval(1.0, 0.5, 2.0), more_is_better=False) == (-1.0, -2.0, -0.5)
    assert turned(Interval(1.0, 0.5, 2.0), more_is_better=True) == (1.0, 0.5, 2.0)
    assert turned(None, more_is_better=False) is None


@pytest.mark.parametrize(
    ("proven", "code", "arm"),
    [
        ({"b": 0.2}, Code.WINNER, "b"),
        ({"b": -0.2}, Code.UNDECIDED, "b"),
        ({"b": -0.2, "c": -0.1}, Code.LOSER, "c"),
        ({"b": 0.2, "c": 0.3}, Code.WINNER, "c"),
    ],
)
def test_judge__sign_proven_without_an_interval__counts(proven: dict[str, float], code: Code, arm: str) -> None:
    decision = judge({"b": None, "c": None}, D, is_trusted=True, proven=proven)
    assert (decision.code, decision.arm) == (code, arm)
