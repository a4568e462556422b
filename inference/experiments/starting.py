"""From a wish to traffic that is divided by key.

The experiment is written as a draft first, as its split names it; the move makes it run, in the transaction that moves
the pointer. A draft whose move failed is taken away again, and one whose process died is swept later.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.db import IntegrityError, transaction
from django.db.models import F
from django.utils import timezone
from django.utils.translation import gettext as _

from inference.endpoints.contract import check_contract
from inference.endpoints.moves import How, Switched, WantedShare, check_epoch, check_free, check_ready, move, wanted_of
from inference.endpoints.switching import check_idle, check_reason
from inference.experiments.plan import Plan, PlannedArm, check_plan
from inference.models import Endpoint, Experiment, ExperimentArm, SplitActivation, TrafficSplit
from inference.selectors.endpoints import version_of_endpoint
from portal.lib.errors import Conflict, InvalidInput
from registry.access import policy
from registry.access.principal import Principal
from registry.models import ModelVersion
from registry.services import audit

State = Experiment.State


@dataclass(frozen=True)
class Started:
    experiment: Experiment
    switched: Switched


def start(
    principal: Principal, endpoint: Endpoint, wish: Mapping[str, Any], *, reason: str, epoch: int | None = None
) -> Started:
    """`wish` is as `plan.check_plan` takes it. Raises InvalidInput or Conflict, and then nothing has changed."""
    policy.require_endpoint(principal, "experiment.operate", endpoint.project_id, endpoint.slug)
    check_reason(reason)
    plan = check_plan(wish)
    expected = endpoint.epoch if epoch is None else epoch
    check_epoch(endpoint, expected)
    check_idle(endpoint)
    wanted = [WantedShare(arm.key, _version(endpoint, arm), arm.weight_bp) for arm in plan.arms]
    base = _base(endpoint, wanted[0].version)
    _check_versions(wanted)
    rules = _rules(base, wanted)
    draft = _draft(principal, endpoint, base, plan, wanted, reason)
    how = How(salt=draft.salt, assignment=plan.assignment, rules=rules, experiment=draft)

    def inside(locked: Endpoint, split: TrafficSplit) -> None:
        _begin(principal, locked, draft, reason)

    kind = SplitActivation.Kind.EXPERIMENT
    try:
        switched = move(
            principal,
            endpoint.pk,
            wanted,
            kind,
            reason,
            expected_epoch=expected,
            how=how,
            before=check_idle,
            inside=inside,
        )
    except Exception:
        # Only what has not begun: an answer that came too late follows a move that stands.
        Experiment.objects.filter(pk=draft.pk, state=State.DRAFT).delete()
        raise
    return Started(Experiment.objects.select_related("endpoint", "base_split").get(pk=draft.pk), switched)


def _version(endpoint: Endpoint, arm: PlannedArm) -> ModelVersion:
    try:
        return version_of_endpoint(endpoint, arm.version)
    except InvalidInput as error:
        raise InvalidInput(error.message, code=error.code, details={"field": "arms"}) from None


def _base(endpoint: Endpoint, control: ModelVersion) -> TrafficSplit:
    """The live split, where it gives everything to the control: what the experiment ends with has to be clear."""
    live = endpoint.live_split
    if live is None:
        raise Conflict(_("Nothing is served here yet: promote the control's version first."), code="nothing_promoted")
    versions = {share.version.number for share in wanted_of(live) if share.weight_bp}
    if len(versions) > 1:
        raise Conflict(
            _("The live split divides the traffic already: promote one version first."), code="split_not_whole"
        )
    if versions != {control.number}:
        raise InvalidInput(
            _("The first arm is the control: it has to be version %(n)s, which is live.") % {"n": min(versions)},
            code="control_not_live",
            details={"field": "arms"},
        )
    return live


def _check_versions(wanted: list[WantedShare]) -> None:
    check_ready(wanted)
    check_free(wanted)
    control, *others = (share.version for share in wanted)
    # The winner is promoted in the end: what it would be refused for then, it is refused for now.
    check_contract(control, others, "promotion", force=None)


def _rules(base: TrafficSplit, wanted: list[WantedShare]) -> list[dict[str, Any]]:
    """The live split's rules go on to hold: they send callers to the same version, under the name of its arm."""
    arms = {share.version.pk: share.variant for share in wanted}
    versions = {share.variant: share.version for share in wanted_of(base)}
    rules = []
    for rule in base.rules:
        version = versions[rule["variant"]]
        if version.pk not in arms:
            raise Conflict(
                _("A rule of the live split sends callers to version %(n)s, which is no arm: change the rules first.")
                % {"n": version.number},
                code="rule_without_arm",
                details={"version": version.number},
            )
        rules.append({**rule, "variant": arms[version.pk]})
    return rules


def _draft(
    principal: Principal, endpoint: Endpoint, base: TrafficSplit, plan: Plan, wanted: list[WantedShare], reason: str
) -> Experiment:
    try:
        with transaction.atomic():
            draft = Experiment.objects.create(
                endpoint=endpoint,
                name=plan.name,
                hypothesis=plan.hypothesis,
                metric=plan.metric,
                direction=plan.direction,
                min_effect=plan.min_effect,
                planned_size=plan.planned_size,
                guardrails=plan.guardrails,
                assignment=plan.assignment,
                base_split=base,
                reason=reason,
                created_by_id=principal.user_id,
            )
            ExperimentArm.objects.bulk_create(
                ExperimentArm(experiment=draft, key=share.variant, version=share.version, weight_bp=share.weight_bp)
                for share in wanted
            )
    except IntegrityError:
        other = Experiment.objects.filter(endpoint=endpoint, state__in=[State.DRAFT, State.RUNNING]).first()
        raise Conflict(
            _("Another experiment has just begun here: conclude it first."),
            code="experiment_running",
            details={"experiment": other.pk if other else None},
        ) from None
    return draft


def _begin(principal: Principal, endpoint: Endpoint, draft: Experiment, reason: str) -> None:
    """In the transaction that moved the pointer."""
    drafts = Experiment.objects.filter(pk=draft.pk, state=State.DRAFT)
    if not drafts.update(state=State.RUNNING, started_at=timezone.now(), lock_version=F("lock_version") + 1):
        raise Conflict(_("The experiment was given up meanwhile: begin another one."), code="experiment_ended")
    details = {
        "endpoint": endpoint.slug,
        "metric": draft.metric,
        "min_effect": draft.min_effect,
        "planned_size": draft.planned_size,
    }
    audit.record(principal, "experiment.started", draft, project_id=endpoint.project_id, reason=reason, details=details)
