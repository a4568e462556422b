"""What the intervals say, as one word: pure.

An arm is *better* or *worse* when its interval lies on one side of no difference, and the *same* when the interval lies
within the least difference that matters. The intervals hold at all looks at once, so the word may be read at any time.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType

from inference.analysis.sequences import Interval

NONE_PROVEN: Mapping[str, float] = MappingProxyType({})


class Code(StrEnum):
    UNTRUSTED = "untrusted"
    WINNER = "winner"
    LOSER = "loser"
    NO_DIFFERENCE = "no_difference"
    UNDECIDED = "undecided"


class Standing(StrEnum):
    """Of one arm beside the control. WAITING: too few keys or events to say anything."""

    WAITING = "waiting"
    OPEN = "open"
    BETTER = "better"
    WORSE = "worse"
    SAME = "same"


@dataclass(frozen=True)
class Decision:
    """`arm` is the one that the verdict is about: the winner, or the best of the others."""

    code: Code
    arm: str
    standings: dict[str, Standing]


def judge(
    gains: Mapping[str, Interval | None],
    min_effect: float,
    *,
    is_trusted: bool,
    proven: Mapping[str, float] = NONE_PROVEN,
) -> Decision:
    """`gains` holds each arm's difference to the control, turned so that more is better; None before there is one.

    `proven` holds the estimate for arms that have no interval, but of which the sign is proven all the same.
    """
    standings = {arm: standing_of(gain, min_effect) for arm, gain in gains.items()}
    for arm, estimate in proven.items():
        standings[arm] = Standing.BETTER if estimate > 0 else Standing.WORSE
    estimates = {arm: gain.estimate for arm, gain in gains.items() if gain} | dict(proven)
    code = _code(set(standings.values())) if is_trusted else Code.UNTRUSTED
    return Decision(code, _subject(code, estimates, standings), standings)


def standing_of(gain: Interval | None, min_effect: float) -> Standing:
    if gain is None:
        return Standing.WAITING
    if -min_effect < gain.low and gain.high < min_effect:
        return Standing.SAME
    if gain.low > 0:
        return Standing.BETTER
    return Standing.WORSE if gain.high < 0 else Standing.OPEN


def _code(found: set[Standing]) -> Code:
    if Standing.BETTER in found:
        return Code.WINNER
    if found == {Standing.WORSE}:
        return Code.LOSER
    if found and found <= {Standing.WORSE, Standing.SAME}:
        return Code.NO_DIFFERENCE
    return Code.UNDECIDED


_ABOUT = {Code.WINNER: Standing.BETTER, Code.LOSER: Standing.WORSE, Code.NO_DIFFERENCE: Standing.SAME}


def _subject(code: Code, estimates: Mapping[str, float], standings: Mapping[str, Standing]) -> str:
    """Of the arms in question the one with the largest estimate."""
    wanted = _ABOUT.get(code)
    known = [arm for arm in estimates if wanted in (None, standings[arm])]
    return max(known, key=estimates.__getitem__) if known else next(iter(standings), "")


def turned(interval: Interval | None, *, more_is_better: bool) -> Interval | None:
    """The same interval as a gain."""
    if interval is None or more_is_better:
        return interval
    return Interval(-interval.estimate, -interval.high, -interval.low)
