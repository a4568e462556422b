"""An experiment's findings as its page draws them."""

from __future__ import annotations

from hashlib import blake2b
from typing import Any, NamedTuple

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from inference.experiments.verdict import Code, Standing
from inference.experiments.words import amount, between, breach_sentence, change, sentence_of, srm_odds
from inference.models import Experiment

# code -> (tone of the notice, icon)
TONES = {
    Code.WINNER: ("good", "circle-check"),
    Code.LOSER: ("warn", "octagon-x"),
    Code.NO_DIFFERENCE: ("info", "circle-check"),
    Code.UNDECIDED: ("", "clock"),
    Code.UNTRUSTED: ("warn", "triangle-alert"),
}
STANDINGS: dict[str, Any] = {
    "control": gettext_lazy("control"),
    Standing.WAITING: gettext_lazy("too little to say"),
    Standing.OPEN: gettext_lazy("undecided"),
    Standing.BETTER: gettext_lazy("better"),
    Standing.WORSE: gettext_lazy("worse"),
    Standing.SAME: gettext_lazy("no difference that matters"),
}


class Row(NamedTuple):
    """One arm. `interval` is (estimate, low, high) of its difference to the control; `due` keys were expected."""

    key: str
    version: int
    weight_bp: int
    n_units: int
    n_requests: int
    n_failed: int
    n_measured: int
    due: int
    value: str
    difference: str
    between: str
    standing: str
    interval: tuple[float, float, float] | None

    @property
    def label(self) -> str:
        """For the plot: everything in one line."""
        if self.interval is None:
            return f"{self.key} · v{self.version}: {self.standing}"
        facts = {"arm": self.key, "n": self.version, "change": self.difference, "between": self.between}
        return _("%(arm)s · v%(n)s: %(change)s (%(between)s)") % facts


def rows_of(experiment: Experiment) -> list[Row]:
    found = {item["key"]: item for item in experiment.verdict.get("arms", [])}
    total = sum(item["n_units"] for item in found.values())
    rows = []
    for arm in experiment.arms.all():
        item = found.get(arm.key, {})
        rows.append(_row(experiment.metric, arm.key, arm.version.number, arm.weight_bp, item, total))
    return rows


def _row(metric: str, key: str, version: int, weight_bp: int, item: dict[str, Any], total: int) -> Row:
    gap = item.get("difference")
    interval = (gap["estimate"], gap["low"], gap["high"]) if gap else None
    return Row(
        key,
        version,
        weight_bp,
        item.get("n_units", 0),
        item.get("n_requests", 0),
        item.get("n_failed", 0),
        item.get("n_measured", 0),
        due=round(total * weight_bp / 10_000),
        value=amount(metric, item.get("value")),
        difference=change(metric, interval[0]) if interval else "–",
        between=between(metric, interval[1], interval[2]) if interval else "–",
        standing=str(STANDINGS[item.get("standing", Standing.WAITING)]),
        interval=interval,
    )


def live_context(experiment: Experiment) -> dict[str, Any]:
    """What the page asks for again every other second."""
    verdict, rows = experiment.verdict, rows_of(experiment)
    code = Code(verdict.get("code", Code.UNDECIDED))
    band = experiment.min_effect
    context = {
        "experiment": experiment,
        "endpoint": experiment.endpoint,
        "rows": rows,
        "others": rows[1:],
        "sentence": sentence_of(experiment),
        "tone": TONES[code][0],
        "mark": TONES[code][1],
        "untrusted": code == Code.UNTRUSTED,
        "breaches": [breach_sentence(experiment, breach) for breach in verdict.get("breaches", [])],
        "band": band,
        "matters": change(experiment.metric, band).removeprefix("+"),
        "marks": [
            (-band, change(experiment.metric, -band)),
            (0.0, _("no difference")),
            (band, change(experiment.metric, band)),
        ],
        "n_planned": experiment.planned_size * len(rows),
        "n_measured": sum(min(row.n_measured, experiment.planned_size) for row in rows),
        "n_drawn": verdict.get("n_drawn", 0),
        "n_dropped": verdict.get("n_dropped", 0),
        "odds": srm_odds(verdict),
        "is_running": experiment.state == Experiment.State.RUNNING,
        "is_unmeasured": is_unmeasured(experiment),
    }
    shown = rows, context["sentence"], context["breaches"], context["n_drawn"], experiment.state
    return {**context, "seen": blake2b(repr(shown).encode(), digest_size=8).hexdigest()}


def is_unmeasured(experiment: Experiment) -> bool:
    """Outcomes are joined with answers that were kept, and this endpoint keeps none."""
    by_outcome = experiment.metric in (Experiment.Metric.REWARD, Experiment.Metric.AGREEMENT)
    return by_outcome and not experiment.endpoint.capture_bp
