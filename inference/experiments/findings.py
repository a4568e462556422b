"""What an experiment has found so far, computed from its keys' sums, as the JSON that `Experiment.verdict` holds."""

from __future__ import annotations

from typing import Any

from django.db.models import Count, F, FloatField, Q, Sum
from django.db.models.functions import Cast
from django.utils import timezone

from inference.analysis.sequences import Interval, Sums
from inference.analysis.srm import ALARM_LN, srm_ln_e
from inference.experiments.comparing import NOTHING, ArmSums, compare, counted
from inference.experiments.harm import Breach, Failures, breaches, sign_of_difference
from inference.experiments.verdict import Decision, judge, turned
from inference.models import Experiment, ExperimentArm, ExposedUnit

Metric = Experiment.Metric
MOST_LN = 1e6  # JSON knows no infinity.
REWARDED = Q(n_rewards__gt=0)
ALL_RIGHT = Q(reward__gte=F("n_rewards"))


def _product(one: str, other: str) -> Sum:
    """As floating point: counts may be large."""
    return Sum(Cast(one, FloatField()) * Cast(other, FloatField()))


SUMS: dict[str, Any] = {
    "n_units": Count("pk"),
    "n_requests": Sum("n"),
    "n_failed": Count("pk", filter=Q(n_bad__gt=0)),
    "all_seconds": Sum("seconds"),
    "seconds_2": _product("seconds", "seconds"),
    "n_2": _product("n", "n"),
    "seconds_n": _product("seconds", "n"),
    "n_rewarded": Count("pk", filter=REWARDED),
    "n_nonzero": Count("pk", filter=REWARDED & ~Q(reward=0)),
    "n_right": Count("pk", filter=REWARDED & ALL_RIGHT),
    "all_rewards": Sum("reward"),
    "n_all_rewards": Sum("n_rewards"),
    "rewards_2": _product("reward", "reward"),
    "n_rewards_2": _product("n_rewards", "n_rewards"),
    "rewards_n": _product("reward", "n_rewards"),
}
Row = dict[str, Any]


def rows_of(experiment: Experiment) -> dict[str, Row]:
    """Per arm the sums that every metric needs, in one pass over the keys."""
    rows: Any = ExposedUnit.objects.filter(experiment=experiment).values("variant").annotate(**SUMS).order_by("variant")
    return {row["variant"]: row for row in rows}


def sums_of(metric: str, row: Row | None) -> ArmSums:
    if not row:
        return NOTHING
    if metric == Metric.ERROR:
        return counted(row["n_units"], row["n_failed"])
    if metric == Metric.LATENCY:
        sums = Sums(
            row["n_units"], row["all_seconds"], row["n_requests"], row["seconds_2"], row["n_2"], row["seconds_n"]
        )
        return ArmSums(sums, row["n_units"])
    n_events = row["n_nonzero"] if metric == Metric.REWARD else min(row["n_right"], row["n_rewarded"] - row["n_right"])
    sums = Sums(
        row["n_rewarded"],
        row["all_rewards"],
        row["n_all_rewards"],
        row["rewards_2"],
        row["n_rewards_2"],
        row["rewards_n"],
    )
    return ArmSums(sums, n_events)


def find(experiment: Experiment) -> dict[str, Any]:
    """Everything but what adds up from batch to batch. `code` is of `verdict.Code`."""
    arms, rows = list(experiment.arms.select_related("version")), rows_of(experiment)
    found = {arm.key: sums_of(experiment.metric, rows.get(arm.key)) for arm in arms}
    differences = _differences(experiment, arms, found)
    srm_ln = _srm(arms, rows)
    decision = judge(
        {arm: turned(interval, more_is_better=_more_is_better(experiment)) for arm, interval in differences.items()},
        experiment.min_effect,
        is_trusted=srm_ln < ALARM_LN,
        proven=_proven(experiment, differences, _failures(arms, rows)),
    )
    return {
        "at": timezone.now().isoformat(),
        "code": decision.code.value,
        "arm": decision.arm,
        "srm_ln": min(srm_ln, MOST_LN),
        "arms": [_arm(arm, rows.get(arm.key), found[arm.key], differences.get(arm.key), decision) for arm in arms],
        "breaches": [breach._asdict() for breach in _breaches(experiment, arms, rows)],
    }


def _more_is_better(experiment: Experiment) -> bool:
    return experiment.direction == Experiment.Direction.INCREASE


def _differences(
    experiment: Experiment, arms: list[ExperimentArm], found: dict[str, ArmSums]
) -> dict[str, Interval | None]:
    control, *others = arms
    return {
        arm.key: compare(found[arm.key], found[control.key], experiment.planned_size, len(others)) for arm in others
    }


def _proven(
    experiment: Experiment, differences: dict[str, Interval | None], failures: dict[str, Failures]
) -> dict[str, float]:
    """An arm that hardly ever fails has too few events for an interval, which must not hide how good it is."""
    if experiment.metric != Metric.ERROR:
        return {}
    control = failures[next(iter(failures))]
    signs = {
        arm: sign_of_difference(failures[arm], control, len(differences))
        for arm, interval in differences.items()
        if interval is None
    }
    return {arm: -sign for arm, sign in signs.items() if sign is not None}


def _failures(arms: list[ExperimentArm], rows: dict[str, Row]) -> dict[str, Failures]:
    return {
        arm.key: Failures(row["n_units"], row["n_failed"]) if (row := rows.get(arm.key)) else Failures(0, 0)
        for arm in arms
    }


def _srm(arms: list[ExperimentArm], rows: dict[str, Row]) -> float:
    counts = {arm.key: rows[arm.key]["n_units"] if arm.key in rows else 0 for arm in arms}
    return srm_ln_e(counts, {arm.key: arm.weight_bp for arm in arms}) if any(counts.values()) else 0.0


def _breaches(experiment: Experiment, arms: list[ExperimentArm], rows: dict[str, Row]) -> list[Breach]:
    if not experiment.guardrails:
        return []
    slower = {arm.key: sums_of(Metric.LATENCY, rows.get(arm.key)) for arm in arms}
    return breaches(experiment.guardrails, _failures(arms, rows), _differences(experiment, arms, slower), arms[0].key)


def _arm(
    arm: ExperimentArm, row: Row | None, sums: ArmSums, difference: Interval | None, decision: Decision
) -> dict[str, Any]:
    return {
        "key": arm.key,
        "version": arm.version.number,
        "weight_bp": arm.weight_bp,
        "n_units": row["n_units"] if row else 0,
        "n_requests": row["n_requests"] if row else 0,
        "n_failed": row["n_failed"] if row else 0,
        "n_measured": sums.sums.n,
        "n_events": sums.n_events,
        "value": sums.value,
        "standing": decision.standings.get(arm.key, "control"),
        "difference": difference._asdict() if difference else None,
    }
