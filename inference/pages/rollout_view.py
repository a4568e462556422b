"""All that a rollout's page shows, as one context for the whole page and for its live part."""

from __future__ import annotations

from hashlib import blake2b
from typing import Any, NamedTuple

from django.utils.translation import gettext as _

from inference.models import AnalysisRun, Rollout, RolloutStage, TrafficSplit
from inference.monitoring.histogram import quantile
from inference.pages.arms import Arm, arms_of
from inference.pages.rollout_cards import Card, Seen, cards_of
from inference.pages.rollout_steps import Pace, Step, pace_at, steps_of
from inference.rollouts.machine import LIVE, PERSONS, RUNNING, State
from inference.rollouts.outlook import headline, next_of
from inference.rollouts.presets import PRESETS
from inference.selectors.rollout_traffic import ArmSeries, ArmsTraffic, arms_traffic
from inference.selectors.rollouts import (
    Sums,
    last_move,
    last_run,
    ledger_by_stage,
    ledger_of,
    looks_of,
    pairs_of,
    stage_of,
)
from registry.access import policy
from registry.access.principal import Principal

MOST_EVENTS = 50
CHARTS = (("p50", 0.5), ("p99", 0.99))


class Point(NamedTuple):
    """What `portal/templatetags/lines.py` draws: the end of a step, its answers, a time in seconds per arm."""

    at: Any
    n: int
    values: tuple[float | None, ...]


class ArmRow(NamedTuple):
    """An arm with what was counted of it in the last minute, or None."""

    arm: Arm
    series: ArmSeries | None


def cockpit(principal: Principal, rollout: Rollout) -> dict[str, Any]:
    stage, run = stage_of(rollout), last_run(rollout)
    traffic = arms_traffic(rollout)
    cards = _cards(rollout, stage, run)
    state = shown_state(rollout, run)
    arms, mirrored = arms_now(rollout), _mirrored(rollout)
    context = {
        "rollout": rollout,
        "endpoint": rollout.endpoint,
        "model": rollout.endpoint.model,
        "stage": stage,
        "state": state,
        "moment": f"{state}-{rollout.position}",
        "preset": PRESETS.get(rollout.preset),
        "headline": headline(rollout),
        "next": next_of(rollout),
        "arms": arms,
        "mirrored": mirrored,
        "rows": _rows(rollout, [*arms, *mirrored], traffic),
        "steps": _steps(rollout, run, traffic),
        "cards": cards,
        "charts": _charts(traffic, stage),
        "events": list(rollout.events.all()[:MOST_EVENTS]),
        "move": last_move(rollout) if rollout.has_ended else None,
        "worst": max((card.ln_e for card in cards if card.ln_e is not None), default=None),
        **_may(principal, rollout),
    }
    context["seen"] = _digest(context)
    return context


def shown_state(rollout: Rollout, run: AnalysisRun | None) -> str:
    """The state, or "approval" where nothing else is missing for the next stage."""
    looked = rollout.state in RUNNING and run is not None and run.position == rollout.position
    asks = looked and run is not None and list(run.facts.get("missing", [])) == ["approval"]
    return "approval" if asks else str(rollout.state)


def _may(principal: Principal, rollout: Rollout) -> dict[str, Any]:
    endpoint = rollout.endpoint
    may = policy.can(principal, "rollout.operate", endpoint.project_id)
    state = State(rollout.state)
    acts = {name for name, states in PERSONS.items() if state in states}
    return {
        "may_operate": may,
        "may_capture": policy.can(principal, "capture.view", endpoint.project_id),
        "acts": acts if may else set(),
        "live": state in LIVE or state in (State.DRAFT, State.VALIDATING, State.ROLLING_BACK),
    }


# --- traffic --------------------------------------------------------------------------------------------------------


def arms_now(rollout: Rollout) -> list[Arm]:
    """Of the live split while the rollout runs, then of where it left the traffic."""
    if not rollout.has_ended:
        return arms_of(rollout.endpoint.live_split)
    move = last_move(rollout)
    return arms_of(move.split if move else rollout.base_split)


def arms_before(rollout: Rollout) -> list[Arm]:
    return arms_of(rollout.base_split)


def arms_with(rollout: Rollout, weight_bp: int) -> list[Arm]:
    """What the traffic is once the candidate has `weight_bp`."""
    stable, candidate = rollout.stable.number, rollout.candidate.number
    if weight_bp >= 10_000:
        return [Arm("stable", candidate, 10_000)]
    return [Arm("stable", stable, 10_000 - weight_bp), Arm("canary", candidate, weight_bp)]


def _rows(rollout: Rollout, arms: list[Arm], traffic: ArmsTraffic) -> list[ArmRow]:
    counted = {} if rollout.has_ended else {key: series for key, series in traffic.arms.items() if series.n}
    return [ArmRow(arm, counted.get(arm.key)) for arm in arms if arm.weight_bp]


def _mirrored(rollout: Rollout) -> list[Arm]:
    split: TrafficSplit | None = rollout.endpoint.live_split
    if rollout.has_ended or split is None or split.rollout_id != rollout.pk or not split.mirror_bp:
        return []
    return [Arm("shadow", rollout.candidate.number, split.mirror_bp)]


def _pace(rollout: Rollout, traffic: ArmsTraffic, errors: dict[int, Sums]) -> Pace:
    """The rate of the last minute and stable's errors so far; before the first stage what the endpoint had."""
    if not traffic.arms:
        return Pace(0.0, 0.0) if rollout.has_ended else pace_at(rollout.endpoint)
    rate = sum(traffic.arms[key].rate for key in ("stable", "canary") if key in traffic.arms)
    n, n_bad = sum(sums.n_s for sums in errors.values()), sum(sums.k_s for sums in errors.values())
    return Pace(rate, n_bad / n if n else 0.0)


def _charts(traffic: ArmsTraffic, stage: RolloutStage | None) -> list[tuple[str, list[str], list[Point]]]:
    """A chart per quantile, with a line per arm; none before there is anything to draw."""
    other = "shadow" if stage is not None and stage.kind == RolloutStage.Kind.SHADOW else "canary"
    keys = [key for key in ("stable", other) if key in traffic.arms and any(traffic.arms[key].steps)]
    if not keys:
        return []
    return [(name, keys, [_point(traffic, keys, place, q) for place in range(len(traffic.ends))]) for name, q in CHARTS]


def _point(traffic: ArmsTraffic, keys: list[str], place: int, q: float) -> Point:
    counts = [traffic.arms[key].steps[place] for key in keys]
    n = sum(sum(part.values()) for part in counts)
    return Point(traffic.ends[place], n, tuple(quantile(part, q) for part in counts))


# --- evidence -------------------------------------------------------------------------------------------------------


def _cards(rollout: Rollout, stage: RolloutStage | None, run: AnalysisRun | None) -> list[Card]:
    ledger = ledger_of(rollout, rollout.position) if stage else {}
    agreement = ledger_of(rollout).get("agreement", Sums())
    proof_ln = run.facts.get("proof_ln", 0.0) if run else 0.0
    return cards_of(rollout, Seen(looks_of(rollout), ledger, pairs_of(rollout), agreement, stage, proof_ln))


def _steps(rollout: Rollout, run: AnalysisRun | None, traffic: ArmsTraffic) -> list[Step]:
    sums = {
        "errors": ledger_by_stage(rollout, "errors", "errors.requests"),
        "agreement": ledger_by_stage(rollout, "agreement"),
    }
    return steps_of(rollout, run, sums, _pace(rollout, traffic, sums["errors"]))


def _digest(context: dict[str, Any]) -> str:
    """Of all that changes on the page without somebody's doing, and of the state."""
    names = ("moment", "headline", "next", "arms", "rows", "steps", "cards", "charts")
    shown = [context[name] for name in names], context["rollout"].lock_version, len(context["events"])
    return blake2b(repr(shown).encode(), digest_size=8).hexdigest()


def said_aloud(context: dict[str, Any]) -> str:
    """For screen readers, when the state has changed."""
    return _("%(rollout)s: %(headline)s") % {"rollout": context["rollout"], "headline": context["headline"]}
