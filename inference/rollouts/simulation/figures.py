"""What a row's runs come to, as the cells of the table."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from inference.analysis.rivals import rivals
from inference.rollouts.simulation.rows import Row
from inference.rollouts.simulation.runs import Run


class Figures(NamedTuple):
    """One line: texts, and whether the goal is met."""

    title: str
    goal: str
    measured: str
    is_met: bool
    others: tuple[str, ...]


RIVALS = tuple(rule.name for rule in rivals())


def figures_of(row: Row, runs: Sequence[Run]) -> Figures:
    if row.measure == "share":
        return _shares(row, runs)
    counts = [run.n_canary if row.measure == "requests" else run.n_pairs for run in runs if run.rolled_back]
    missed = len(runs) - len(counts)
    is_met = not missed and _is_within(row, counts)
    others = tuple(_reach([run.rivals[name] for run in runs]) for name in RIVALS)
    if row.measure == "pairs" or row.traffic.slower > 1:
        others = ("-",) * len(RIVALS)
    limit = f"<= {row.goal:g}" + (f", p90 <= {row.goal_p90:g}" if row.goal_p90 else "")
    return Figures(row.title, limit, _reach([*counts, *[None] * missed]), is_met, others)


def _shares(row: Row, runs: Sequence[Run]) -> Figures:
    share = sum(run.rolled_back for run in runs) / len(runs)
    by_code: dict[str, int] = {}
    for run in runs:
        if run.rolled_back:
            by_code[run.code] = by_code.get(run.code, 0) + 1
    why = ", ".join(f"{code} {count}" for code, count in sorted(by_code.items()))
    others = tuple(_percent(sum(run.rivals[name] is not None for run in runs) / len(runs)) for name in RIVALS)
    measured = _percent(share) + (f" ({why})" if why else "")
    return Figures(row.title, f"<= {_percent(row.goal)}", measured, share <= row.goal, others)


def _is_within(row: Row, counts: Sequence[int]) -> bool:
    within = float(np.median(counts)) <= row.goal
    return within and (row.goal_p90 is None or float(np.quantile(counts, 0.9)) <= row.goal_p90)


def _reach(counts: Sequence[int | None]) -> str:
    """Median and p90 of those that were rolled back, and how many were not."""
    known = [count for count in counts if count is not None]
    if not known:
        return "never"
    text = f"{np.median(known):.0f}, p90 {np.quantile(known, 0.9):.0f}"
    missed = 1 - len(known) / len(counts)
    return text + (f", {_percent(missed)} never" if missed else "")


def _percent(share: float) -> str:
    return f"{round(100 * share, 1):g} %"
