"""The rail of a rollout's page: what is done, what the present stage still waits for, how long the rest will take."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from django.utils.translation import gettext as _

from inference.analysis.forecast import requests_needed, seconds_needed
from inference.analysis.guardrails import PROOF_LN
from inference.models import AnalysisRun, Endpoint, Rollout, RolloutStage, RolloutState
from inference.pages.evidence_words import clock, proof_words
from inference.selectors.rollouts import Sums
from inference.selectors.traffic import STEP_SECONDS, traffic_of
from portal.lib.words import number, percent, seconds

WHOLE = 10_000
# How far back the forecast looks for its rate and its share of errors.
LOOKS_BACK_SECONDS = 600
# The rate is that of the last minute, where there was any.
N_LATELY = 12
NOT_YET = (RolloutState.DRAFT, RolloutState.VALIDATING)
STOPPED = (RolloutState.HOLD, RolloutState.PAUSED)
SENT_BACK = (RolloutState.ROLLING_BACK, RolloutState.ROLLED_BACK, RolloutState.ABORTED)


class Step(NamedTuple):
    """As `portal/templatetags/evidence.py` draws it. `needs` pairs what is asked for with whether it is met."""

    look: str
    title: str
    said: str = ""
    needs: tuple[tuple[bool, str], ...] = ()
    progress: float | None = None


class Pace(NamedTuple):
    """What the forecast of a stage rests on: all requests per second, and the share that fails anyway."""

    rate: float
    error_share: float


def steps_of(
    rollout: Rollout, run: AnalysisRun | None, sums: Mapping[str, Mapping[int, Sums]], pace: Pace
) -> list[Step]:
    """`sums` holds the ledger of `errors` and `agreement` by the index of the stage."""
    stages = list(rollout.stages.all())
    steps = [_stage_step(rollout, stage, run, sums, pace) for stage in stages]
    return [_validated(rollout), *steps, _promoted(rollout)]


def _validated(rollout: Rollout) -> Step:
    title = _("Validated")
    if rollout.state == RolloutState.FAILED_VALIDATION:
        return Step("failed", _("Validation"), rollout.why)
    if rollout.state == RolloutState.DRAFT:
        return Step("waiting", _("Validation"), _("load it everywhere, compare signatures, replay"))
    if rollout.state == RolloutState.VALIDATING:
        return Step("now", _("Validation"), _("loading it everywhere, comparing signatures, replaying"))
    if rollout.position < 0 and rollout.state == RolloutState.ABORTED:
        return Step("failed", _("Validation"))
    return Step("done", title, _("loaded everywhere and warm"))


def _promoted(rollout: Rollout) -> Step:
    look = "done" if rollout.state == RolloutState.PROMOTED else "waiting"
    words = _("all traffic, the old version stays warm for a while")
    return Step(look, _("Promoted"), words if look == "waiting" else "")


def title_of(stage: RolloutStage) -> str:
    if stage.kind == RolloutStage.Kind.SHADOW:
        return _("Shadow")
    share = percent(stage.weight_bp)
    return _("Hold-back %(share)s") % {"share": share} if stage.kind == RolloutStage.Kind.HOLDBACK else share


def _stage_step(
    rollout: Rollout,
    stage: RolloutStage,
    run: AnalysisRun | None,
    sums: Mapping[str, Mapping[int, Sums]],
    pace: Pace,
) -> Step:
    look, title = look_of(rollout, stage), title_of(stage)
    if look in ("now", "held"):
        needs, progress = needs_of(rollout, stage, run, sums)
        return Step(look, title, "", needs, progress)
    if look in ("done", "failed"):
        return Step(look, title, _was(rollout, stage, sums))
    return Step(look, title, "" if rollout.has_ended or look == "skipped" else in_words(forecast(stage, pace)))


def look_of(rollout: Rollout, stage: RolloutStage) -> str:
    """done, now, held, failed, skipped or waiting."""
    if rollout.state == RolloutState.PROMOTED or stage.index < rollout.position:
        return "done" if stage.began_at else "skipped"
    if stage.index > rollout.position or rollout.state in NOT_YET:
        return "waiting"
    if rollout.state in SENT_BACK or rollout.state == RolloutState.FAILED_VALIDATION:
        return "failed"
    return "held" if rollout.state in STOPPED else "now"


def _was(rollout: Rollout, stage: RolloutStage, sums: Mapping[str, Mapping[int, Sums]]) -> str:
    """6 min · 214 requests."""
    parts = []
    ended_at = stage.ended_at or rollout.ended_at
    if stage.began_at and ended_at:
        parts.append(seconds((ended_at - stage.began_at).total_seconds()))
    is_shadow = stage.kind == RolloutStage.Kind.SHADOW
    found = sums["agreement" if is_shadow else "errors"].get(stage.index)
    if found and is_shadow:
        parts.append(_("%(n)s pairs") % {"n": number(round(found.n_c))})
    elif found:
        parts.append(_("%(n)s requests") % {"n": number(round(found.n_c))})
    return " · ".join(parts)


# --- the present stage ----------------------------------------------------------------------------------------------


def needs_of(
    rollout: Rollout, stage: RolloutStage, run: AnalysisRun | None, sums: Mapping[str, Mapping[int, Sums]]
) -> tuple[tuple[tuple[bool, str], ...], float]:
    """What the gate asks for, with whether it is met, and how far the least advanced of it has come."""
    spent = rollout.stage_seconds
    shares = [_share(spent, stage.bake_seconds)]
    words = [_("%(spent)s of %(all)s") % {"spent": clock(spent), "all": clock(stage.bake_seconds)}]
    for share, text in [*_counted(stage, sums), *_proof(rollout, stage, run)]:
        shares.append(share)
        words.append(text)
    if stage.needs_approval:
        words.append(_("a person's approval: “Advance…”"))
    met = [*(share >= 1 for share in shares), *([False] if stage.needs_approval else [])]
    return tuple(zip(met, words, strict=True)), min(shares)


def _share(value: float, of: float) -> float:
    return min(1.0, max(0.0, value / of)) if of > 0 else 1.0


def _counted(stage: RolloutStage, sums: Mapping[str, Mapping[int, Sums]]) -> list[tuple[float, str]]:
    if stage.kind == RolloutStage.Kind.SHADOW:
        n, words = sums["agreement"].get(stage.index, Sums()).n_c, _("%(n)s of %(all)s mirrored")
    elif stage.kind == RolloutStage.Kind.HOLDBACK:
        n, words = sums["errors"].get(stage.index, Sums()).n_s, _("%(n)s of %(all)s requests of stable")
    else:
        n, words = sums["errors"].get(stage.index, Sums()).n_c, _("%(n)s of %(all)s requests")
    return [(_share(n, stage.n_min), words % {"n": number(round(n)), "all": number(stage.n_min)})]


def _proof(rollout: Rollout, stage: RolloutStage, run: AnalysisRun | None) -> list[tuple[float, str]]:
    """How far the certificate of the stage has come: E of 20."""
    facts: dict[str, Any] = run.facts if run and run.position == stage.index else {}
    if stage.kind == RolloutStage.Kind.SHADOW and not rollout.options.get("expects_difference"):
        ln_e, words = facts.get("agreement_ln") or 0.0, _("proof: %(e)s of 20")
    elif stage.kind == RolloutStage.Kind.CANARY and stage.delta and stage.weight_bp < WHOLE:
        ln_e, words = facts.get("proof_ln") or 0.0, _("proof: %(e)s of 20")
    else:
        return []
    return [(_share(ln_e, PROOF_LN), words % {"e": proof_words(ln_e)})]


# --- forecast -------------------------------------------------------------------------------------------------------


class Forecast(NamedTuple):
    """`n_requests` of the arm that the stage waits for; `seconds` None where no traffic comes."""

    n_requests: int
    seconds: float | None


def forecast(stage: Any, pace: Pace) -> Forecast:
    """`stage`: a row of the plan, or a stage of a preset."""
    n, weight_bp = stage.n_min, stage.weight_bp
    if stage.kind == "shadow":
        weight_bp = WHOLE
    elif stage.kind == "holdback":
        weight_bp = WHOLE - stage.weight_bp
    elif stage.delta and weight_bp < WHOLE:
        n = requests_needed(stage.delta, pace.error_share, n, weight_bp)
    return Forecast(n, seconds_needed(n, pace.rate, weight_bp, stage.bake_seconds))


def in_words(found: Forecast) -> str:
    if found.seconds is None:
        return _("%(n)s requests, no traffic") % {"n": number(found.n_requests)}
    return _("about %(time)s at this traffic") % {"time": seconds(found.seconds)}


def pace_at(endpoint: Endpoint) -> Pace:
    """The endpoint's rate and share of errors over the last minutes."""
    traffic = traffic_of(endpoint, LOOKS_BACK_SECONDS)
    n_ok = sum(arm.n_ok for arm in traffic.arms)
    n_bad = sum(arm.n_model_errors for arm in traffic.arms)
    lately = sum(traffic.n_answers[-N_LATELY:]) / (N_LATELY * STEP_SECONDS)
    rate = lately or sum(traffic.n_answers) / LOOKS_BACK_SECONDS
    return Pace(rate, n_bad / (n_ok + n_bad) if n_ok + n_bad else 0.0)
