"""What the home page asks of all rooms: what needs this person now, the first steps, what was touched last."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from itertools import chain
from typing import Any, NamedTuple

from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _

from inference.models import Endpoint, JobStatus, RolloutState
from inference.pages import selectors_pages as serving
from inference.rollouts.outlook import headline, next_of
from inference.selectors.endpoints import endpoints_for
from inference.selectors.jobs import jobs_for
from inference.selectors.quarantines import active_quarantines, quarantines_now
from inference.selectors.rollouts import came_back_at, rollouts_that_ask, running_at
from registry import selectors
from registry.access import policy
from registry.access.principal import Principal
from registry.models import AuditEvent, ModelVersion, RegisteredModel, VersionStatus
from registry.pages.selectors_pages import models_list
from registry.trust_selectors import refused_versions, why

RECENT = timedelta(days=7)
MOST_ITEMS = 8
MOST_ROWS = 6
# What is worse comes first.
TONES = ("bad", "warn", "info")
# state -> (tone, icon); what waits for approval has none of these.
ROLLOUT_LOOKS: dict[str, tuple[str, str]] = {
    RolloutState.HOLD: ("warn", "hand"),
    RolloutState.PAUSED: ("warn", "circle-pause"),
    RolloutState.ROLLED_BACK: ("bad", "undo-2"),
    RolloutState.FAILED_VALIDATION: ("bad", "octagon-x"),
}


class Item(NamedTuple):
    """One thing to look at, with the act that settles it."""

    tone: str
    icon: str
    subject: str
    sentence: str
    at: datetime
    url: str
    act: str


class Step(NamedTuple):
    done: bool
    label: str
    text: str
    url: str
    act: str


def needs_me(principal: Principal) -> list[Item]:
    found = (_tampered, _quarantined, _rejected, _rollouts, _idle_or_behind, _failed_jobs)
    items = chain.from_iterable(ask(principal) for ask in found)
    return sorted(items, key=lambda item: (TONES.index(item.tone), -item.at.timestamp()))[:MOST_ITEMS]


def _quarantined(principal: Principal) -> Iterator[Item]:
    """Versions that killed their process, for those who may release them."""
    for row in active_quarantines(principal)[:MOST_ITEMS]:
        if policy.can(principal, "version.release", row.version.model.project_id):
            sentence = _("is quarantined: %(why)s") % {"why": row.reason}
            url = reverse("sessions") + "#quarantined"
            yield Item("bad", "shield-alert", str(row.version), sentence, row.created_at, url, _("See what happened"))


def _tampered(principal: Principal) -> Iterator[Item]:
    """Versions that no process loads any more, for those who can put them right."""
    for version, event in refused_versions(principal)[:MOST_ITEMS]:
        if policy.can(principal, "version.upload", version.model.project_id):
            url = reverse("version", args=[version.model.name, version.number])
            yield Item("bad", "shield-alert", str(version), why(event), event.at, url, _("See what happened"))


def _rejected(principal: Principal) -> Iterator[Item]:
    """Rejected uploads of one's own that no later version has mended."""
    since = timezone.now() - RECENT
    versions = ModelVersion.objects.filter(policy.visible(principal, "model__project_id"), created_at__gt=since)
    rejected = versions.filter(status=VersionStatus.REJECTED, created_by_id=principal.user_id, deleted_at=None)
    for version in rejected.select_related("model").order_by("-created_at")[:MOST_ITEMS]:
        if version.number == version.model.last_number:
            url = reverse("version", args=[version.model.name, version.number])
            sentence = version.report.get("message", "")
            yield Item("bad", "octagon-x", f"{version}", sentence, version.created_at, url, _("See why"))


def _rollouts(principal: Principal) -> Iterator[Item]:
    """What waits for a person, is on hold, or has gone back of its own while nothing newer was started there."""
    for rollout in rollouts_that_ask(principal, since=timezone.now() - RECENT)[:MOST_ITEMS]:
        if not policy.can(principal, "rollout.operate", rollout.endpoint.project_id):
            continue
        look = ROLLOUT_LOOKS.get(rollout.state, ("warn", "user-check"))
        at = rollout.ended_at or rollout.held_at or rollout.evaluated_at or rollout.created_at
        sentence = f"{headline(rollout)} {next_of(rollout).sentence}"
        yield Item(*look, str(rollout), sentence, at, reverse("rollout", args=[rollout.pk]), _("Open"))


def _idle_or_behind(principal: Principal) -> Iterator[Item]:
    """Endpoints out of service or without traffic, and those whose model has a newer ready version."""
    endpoints = list(endpoints_for(principal).order_by("-created_at")[:100])
    newest = _newest_ready({endpoint.model_id for endpoint in endpoints})
    running = running_at(endpoint.pk for endpoint in endpoints)
    came_back = came_back_at(endpoint.pk for endpoint in endpoints)
    for endpoint in serving.with_arms(endpoints):
        if not policy.can(principal, "endpoint.deploy", endpoint.project_id):
            continue
        version = newest.get(endpoint.model_id)
        url = reverse("endpoint", args=[endpoint.slug])
        live = [arm.version for arm in endpoint.arms if arm.weight_bp]
        if endpoint.unloaded_at:
            sentence = _("is out of service: every call is answered 503.")
            yield Item("bad", "power-off", endpoint.slug, sentence, endpoint.unloaded_at, url, _("Open"))
        elif not live:
            at = endpoint.created_at
            yield Item(
                "warn", "circle-dashed", endpoint.slug, _("has no traffic yet: promote a version."), at, url, _("Open")
            )
        elif version and version.number > max(live) and endpoint.pk not in running:
            if (endpoint.pk, version.pk) in came_back:
                continue  # That has its own line.
            sentence = _("version %(n)s is ready and gets no traffic.") % {"n": version.number}
            start = reverse("rollout-new", args=[endpoint.slug]) + f"?candidate={version.number}"
            yield Item("info", "sparkles", endpoint.slug, sentence, version.created_at, start, _("Roll it out"))


def _newest_ready(model_ids: set[int]) -> dict[int, ModelVersion]:
    ready = ModelVersion.objects.filter(model__in=model_ids, status=VersionStatus.READY)
    ready = ready.exclude(pk__in=quarantines_now().values("version"))
    return {version.model_id: version for version in ready.order_by("model_id", "-number").distinct("model_id")}


def _failed_jobs(principal: Principal) -> Iterator[Item]:
    since = timezone.now() - RECENT
    jobs = jobs_for(principal).filter(created_by_id=principal.user_id, finished_at__gt=since)
    for job in jobs.filter(status__in=[JobStatus.FAILED, JobStatus.SUCCEEDED_WITH_ERRORS])[:MOST_ITEMS]:
        failed = job.status == JobStatus.FAILED
        sentence = job.error_message or _("%(n)s rows could not be scored.") % {"n": job.n_failed}
        url = reverse("job", args=[job.pk])
        subject = job.file_name or str(job.version)
        look = ("bad", "octagon-x") if failed else ("warn", "triangle-alert")
        yield Item(*look, subject, sentence, job.finished_at or job.created_at, url, _("Open the job"))


def newest_models(principal: Principal) -> list[RegisteredModel]:
    return list(models_list(principal, "", "-updated_at")[:MOST_ROWS])


def my_versions(principal: Principal) -> list[ModelVersion]:
    return selectors.recent_versions(principal, MOST_ROWS)


def newest_endpoints(principal: Principal) -> list[Endpoint]:
    return serving.with_arms(endpoints_for(principal).order_by("-changed_sequence", "slug")[:MOST_ROWS])


def lately(principal: Principal) -> list[AuditEvent]:
    """The newest acts that one may read; nothing for who may not read the record."""
    return list(selectors.audit_for(principal)[:MOST_ROWS])


def first_steps(principal: Principal) -> list[Step]:
    """The way from nothing to a rolled-back endpoint; empty once all of it was walked."""
    facts = _walked(principal)
    first = facts["endpoint"]
    endpoint_url = reverse("endpoint", args=[first.slug]) if first else reverse("endpoints")
    steps = [
        Step(
            facts["ready"],
            _("Register a model"),
            _("Upload an ONNX file; a sandbox checks it in seconds."),
            reverse("upload"),
            _("Upload"),
        ),
        Step(
            facts["serving"],
            _("Serve it"),
            _("Create an endpoint and promote a version to it."),
            endpoint_url,
            _("Endpoints"),
        ),
        Step(
            facts["token"],
            _("Call it"),
            _("Make a token and paste the curl line of the endpoint."),
            reverse("tokens"),
            _("Make a token"),
        ),
        Step(
            facts["moved"],
            _("Move traffic, and take it back"),
            _("Give a second version 10 %, watch, roll back with one press."),
            endpoint_url,
            _("Open the endpoint"),
        ),
    ]
    return [] if all(step.done for step in steps) else steps


def _walked(principal: Principal) -> dict[str, Any]:
    endpoints = endpoints_for(principal)
    ready = ModelVersion.objects.filter(policy.visible(principal, "model__project_id"), status=VersionStatus.READY)
    return {
        "ready": ready.exists(),
        "serving": endpoints.exclude(live_split=None).exists(),
        "token": selectors.tokens_for(principal).filter(user=principal.user_id or 0).exists(),
        "moved": endpoints.filter(epoch__gt=2).exists(),
        "endpoint": endpoints.order_by("slug").first(),
    }
