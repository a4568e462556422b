"""Where a rollout stands and what happens next, in a sentence each, for whoever opens its page."""

from __future__ import annotations

from datetime import datetime, timedelta
from math import exp
from typing import NamedTuple

from django.utils import timezone
from django.utils.translation import gettext as _

from inference.models import AnalysisRun, Rollout, RolloutStage, RolloutState
from inference.rollouts.machine import PROOF_LN
from inference.rollouts.words import WAITS_FOR
from inference.selectors.rollouts import last_run, stage_of
from portal.lib.words import percent, seconds


class Next(NamedTuple):
    """`at` is a guess, None where there is nothing to go by. `code` is what it waits for, or the state."""

    sentence: str
    at: datetime | None
    code: str


def headline(rollout: Rollout) -> str:
    if rollout.has_ended:
        return _ended(rollout)
    stage = stage_of(rollout)
    if rollout.state == RolloutState.DRAFT:
        return _("Planned, not started. No traffic moves.")
    if rollout.state == RolloutState.VALIDATING or stage is None:
        return _("The candidate is loaded everywhere and tried before it gets any traffic.")
    if rollout.state == RolloutState.ROLLING_BACK:
        return _("The traffic goes back to version %(n)s.") % {"n": rollout.stable.number}
    where = _where(stage)
    if rollout.state == RolloutState.HOLD:
        run = rollout.events.filter(event="hold").first()
        return _("Holding %(where)s. %(why)s") % {"where": where, "why": run.sentence if run else ""}
    if rollout.state == RolloutState.PAUSED:
        return _("Paused %(where)s. The guards go on.") % {"where": where}
    return _("Running %(where)s.") % {"where": where}


def _where(stage: RolloutStage) -> str:
    if stage.kind == RolloutStage.Kind.SHADOW:
        return _("on mirrored requests")
    return _("at %(share)s") % {"share": percent(stage.weight_bp)}


def _ended(rollout: Rollout) -> str:
    words = {
        RolloutState.PROMOTED: _("Promoted: version %(n)s takes all traffic."),
        RolloutState.ROLLED_BACK: _("Rolled back by itself. %(why)s"),
        RolloutState.ABORTED: _("Rolled back by a person. %(why)s"),
        RolloutState.FAILED_VALIDATION: _("Not started. %(why)s"),
    }
    return words[RolloutState(rollout.state)] % {"n": rollout.candidate.number, "why": rollout.why}


def next_of(rollout: Rollout) -> Next:
    if rollout.has_ended or rollout.state == RolloutState.ROLLING_BACK:
        return Next("", None, rollout.state)
    if rollout.state == RolloutState.DRAFT:
        return Next(_("Start it when you are ready."), None, "draft")
    stage, run = stage_of(rollout), last_run(rollout)
    if stage is None:
        return Next(_("The first stage begins when that is done, within a minute."), None, "validating")
    if rollout.state == RolloutState.PAUSED:
        return Next(_("It stays until a person resumes it, or evidence of harm rolls it back."), None, "paused")
    if rollout.state == RolloutState.HOLD:
        return _after_hold(rollout)
    return _after_stage(rollout, stage, run)


def _after_hold(rollout: Rollout) -> Next:
    limit = rollout.options["hold_seconds"]
    if rollout.options["on_hold"] == "wait":
        return Next(_("It goes on when the evidence calms down, or when a person decides."), None, "hold")
    at = timezone.now() + timedelta(seconds=max(0.0, limit - rollout.held_seconds))
    said = _("It goes on when the evidence calms down; after %(time)s on hold it rolls back.") % {
        "time": seconds(limit)
    }
    return Next(said, at, "hold")


def _after_stage(rollout: Rollout, stage: RolloutStage, run: AnalysisRun | None) -> Next:
    missing = list(run.facts.get("missing", [])) if run and run.position == stage.index else ["bake"]
    if missing == ["approval"]:
        return Next(_("The gate is passed: a person has to approve the next step."), None, "approval")
    then = _then(rollout, stage)
    left = _seconds_left(rollout, stage, run)
    if left is None:
        waits = ", ".join(str(WAITS_FOR[code]) for code in missing if code in WAITS_FOR)
        said = _("%(then)s after %(what)s; at the traffic now nobody can say when.") % {"then": then, "what": waits}
        return Next(said, None, missing[0] if missing else "gate")
    at = timezone.now() + timedelta(seconds=left)
    if left < 1:
        return Next(_("%(then)s at the next look.") % {"then": then}, at, "gate")
    said = _("%(then)s in about %(time)s, at the traffic now.") % {"then": then, "time": seconds(left)}
    return Next(said, at, missing[0] if missing else "gate")


def _then(rollout: Rollout, stage: RolloutStage) -> str:
    following = rollout.stages.filter(index=stage.index + 1).first()
    if following is None:
        return _("All traffic")
    if following.kind == RolloutStage.Kind.HOLDBACK:
        return _("Hold-back at %(share)s") % {"share": percent(following.weight_bp)}
    return _("%(share)s") % {"share": percent(following.weight_bp)}


def _seconds_left(rollout: Rollout, stage: RolloutStage, run: AnalysisRun | None) -> float | None:
    """The longest of what it waits for, each guessed from how it went so far."""
    waits = [max(0.0, stage.bake_seconds - rollout.stage_seconds)]
    if run is None or run.position != stage.index or rollout.stage_seconds <= 0:
        return waits[0] if stage.bake_seconds else None
    facts = run.facts
    for have, wanted in _progress(rollout, stage, facts):
        if have >= wanted:
            continue
        if have <= 0:
            return None
        waits.append(rollout.stage_seconds * (wanted / have - 1))
    return max(waits)


def _progress(rollout: Rollout, stage: RolloutStage, facts: dict[str, float]) -> list[tuple[float, float]]:
    """(what there is, what is asked for), for each thing that grows with the traffic."""
    if stage.kind == RolloutStage.Kind.SHADOW:
        agreed = [] if rollout.options["expects_difference"] else [(facts.get("agreement_ln") or 0.0, PROOF_LN)]
        return [(facts["n_pairs"], stage.n_min), *agreed]
    if stage.kind == RolloutStage.Kind.HOLDBACK:
        return [(facts["n_stable"], stage.n_min)]
    proof = [(facts["proof_ln"], PROOF_LN)] if stage.delta and stage.weight_bp < 10_000 else []
    return [(facts["n_canary"], stage.n_min), *proof]


def evidence_json(rollout: Rollout) -> dict[str, object]:
    """For the API: the last look's figures."""
    run = last_run(rollout)
    if run is None:
        return {"seq": 0, "e": {}, "ln_e": {}, "arms": {}, "waits_for": []}
    return {
        "seq": run.seq,
        "at": run.at.isoformat(),
        "e": {name: round(exp(min(value, 300.0)), 6) for name, value in run.ln_e.items()},
        "ln_e": run.ln_e,
        "proof_e": round(exp(min(run.facts.get("proof_ln", 0.0), 300.0)), 6),
        "srm_e": round(exp(min(run.facts.get("srm_ln", 0.0), 300.0)), 6),
        "arms": run.facts.get("rates", {}),
        "n_pairs": run.facts.get("n_pairs", 0),
        "waits_for": run.facts.get("missing", []),
        "sentence": run.sentence,
    }
