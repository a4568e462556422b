"""Looks at every rollout that runs, again and again, and does what is to be done. Two may run; any may die anywhere."""

from __future__ import annotations

import threading
from datetime import timedelta
from typing import Any

import structlog
from django.db import InterfaceError, OperationalError, connection, transaction
from django.db.models import Exists, OuterRef
from django.utils import timezone

from inference.models import ENDED, Rollout, RolloutStage, RolloutState
from inference.monitoring.evidence_writer import BAD_NEWS
from inference.rollouts import steps
from inference.rollouts.evaluation import LIVE, Look, evaluate, forget_provers
from inference.rollouts.transitions import Transition, transit
from portal.lib.errors import PortalError
from portal.lib.hints import listen, wait_for_hint
from registry.access.principal import SYSTEM
from registry.notifications.services import notify
from registry.services.doorbell import ring

log = structlog.get_logger(__name__)
TICK_SECONDS = 2.0
# A stage that takes minutes is looked at this often, unless there is bad news.
CALM_SECONDS = 5.0
CALM_STAGE_SECONDS = 60.0
# A validation that has not been heard of for this long is rung for again.
VALIDATION_SILENCE_SECONDS = 90.0


def run(stop: threading.Event) -> None:
    """Until `stop` is set. PostgreSQL may be away meanwhile: then nothing is decided, and the weights stay."""
    while not stop.is_set():
        try:
            listen(BAD_NEWS)
            hinted = True
            while not stop.is_set():
                tick(hinted=hinted)
                hinted = wait_for_hint(TICK_SECONDS)
        except (OperationalError, InterfaceError, OSError) as error:
            log.warning("rollouts_not_looked_at", error=type(error).__name__)
            connection.close()
        except Exception:
            log.exception("rollouts_failed")
        stop.wait(TICK_SECONDS)


def tick(*, hinted: bool = True) -> None:
    """One look at each that is due. A failure of one leaves the others alone."""
    unfinished = Rollout.objects.exclude(state__in=[*ENDED, RolloutState.DRAFT])
    found = list(unfinished.order_by("evaluated_at", "pk").values_list("pk", "state"))
    for pk, state in found:
        try:
            _attend(pk, state, hinted=hinted)
        except PortalError as error:
            # Somebody was faster, or what has to be loaded cannot be: the next look sees how it stands then.
            log.info("rollout_not_moved", rollout=pk, code=error.code)
        except (OperationalError, InterfaceError):
            raise
        except Exception:
            log.exception("rollout_failed", rollout=pk)
    forget_provers({pk for pk, _state in found})


def _attend(pk: int, state: str, *, hinted: bool) -> None:
    if state == RolloutState.VALIDATING:
        _ring_again(pk)
    elif state == RolloutState.ROLLING_BACK:
        _finish(pk)
    elif state in LIVE and (hinted or _is_due(pk)):
        look = evaluate(pk)
        if look is not None and look.decision.event:
            act(look)
        elif look is not None:
            _tell_that_it_waits(look)


def _is_due(pk: int) -> bool:
    recently = timezone.now() - timedelta(seconds=CALM_SECONDS)
    slow = RolloutStage.objects.filter(rollout=OuterRef("pk"), index=OuterRef("position"))
    slow = slow.filter(bake_seconds__gte=CALM_STAGE_SECONDS)
    calm = Rollout.objects.filter(Exists(slow), pk=pk, evaluated_at__gt=recently)
    return not calm.exists()


def act(look: Look) -> None:
    """What the machine decided, on the version that it saw. Raises Conflict where somebody was faster."""
    rollout, decision = look.rollout, look.decision
    step = Transition(decision.event, str(decision.to), sentence=look.sentence, evidence=_evidence(look))
    if decision.event == "roll_back":
        steps.roll_back(rollout, step)
    elif decision.event == "promote":
        steps.promote(SYSTEM, rollout, step)
    elif decision.event == "advance":
        steps.enter_stage(SYSTEM, rollout, decision.stage, _into(step, decision.stage))
    else:
        if decision.event == "hold":
            step.changes["state_before"] = rollout.state
        with transaction.atomic():
            transit(SYSTEM, rollout, step)
    log.info("rollout_moved", rollout=rollout.pk, step=decision.event, state=rollout.state, why=look.sentence)


def _into(step: Transition, stage: int) -> Transition:
    return Transition(step.event, step.to, step.reason, step.sentence, stage, step.evidence)


def _evidence(look: Look) -> dict[str, Any]:
    facts = look.facts
    return {
        "code": look.decision.code,
        "guardrail": look.decision.guardrail,
        "seq": look.rollout.seq,
        "ln_e": dict(facts.ln_e),
        "proof_ln": facts.proof_ln,
        "srm_ln": facts.srm_ln,
        "n_canary": facts.n_canary,
        "n_stable": facts.n_stable,
    }


def _tell_that_it_waits(look: Look) -> None:
    """Once per stage, when only a person's approval is missing."""
    rollout = look.rollout
    if look.decision.missing != ("approval",) or rollout.options.get("waits_at") == rollout.position:
        return
    with transaction.atomic():
        rollout.options["waits_at"] = rollout.position
        Rollout.objects.filter(pk=rollout.pk, lock_version=rollout.lock_version).update(options=rollout.options)
        body = {"rollout": rollout.pk, "endpoint": rollout.endpoint.slug, "stage": rollout.position}
        notify(rollout.endpoint.project_id, "rollout.waiting", str(rollout), body)


def _finish(pk: int) -> None:
    """A roll back whose first half was done by somebody who died: the traffic is back, only the ending is missing."""
    rollouts = Rollout.objects.select_related("endpoint", "stable", "candidate", "base_split")
    rollout = rollouts.filter(pk=pk, state=RolloutState.ROLLING_BACK).first()
    if rollout is not None and _is_abandoned(rollout):
        steps.finish_taking_back(SYSTEM, rollout, None)


def _is_abandoned(rollout: Rollout) -> bool:
    """Whoever rolls back waits for the processes for some seconds; only after that somebody else ends it."""
    event = rollout.events.order_by("-number").first()
    return event is None or (timezone.now() - event.at).total_seconds() > 15.0


def _ring_again(pk: int) -> None:
    rollout = Rollout.objects.filter(pk=pk).first()
    if rollout is None:
        return
    since = rollout.evaluated_at or rollout.started_at or rollout.created_at
    if abs((timezone.now() - since).total_seconds()) > VALIDATION_SILENCE_SECONDS:
        ring("inference.tasks.validate_rollout", pk)
