"""Creating endpoints, describing them, taking them away. Moving their traffic is `switching.py`."""

from __future__ import annotations

from typing import Any

from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from inference.endpoints.switching import check_idle
from inference.endpoints.warming import load_everywhere
from inference.models import Endpoint
from inference.routing.convergence import bump_sequence, wait_until_taken
from portal.lib.errors import Conflict, InvalidInput, NotFound
from portal.lib.texts import check_reason
from registry.access import policy
from registry.access.principal import Principal
from registry.models import RegisteredModel
from registry.models.names import validate_slug
from registry.services import audit
from registry.services.catalog import check_text

# Each with the least and the most that it may be.
LIMITS = {
    "deadline_ms": (1, 600_000),
    "batch_size": (1, 1024),
    "batch_delay_us": (0, 1_000_000),
    "capture_bp": (0, 10_000),
    "capture_bytes": (256, 1_048_576),
    "slo_p99_ms": (1, 600_000),
    "slo_error_bp": (1, 10_000),
}
# None leaves these open: to what was measured, or without an objective.
OPTIONAL = ("batch_size", "slo_p99_ms", "slo_error_bp")
# Not for the processes that serve: a change of these alone moves nothing there.
SWITCHES = ("replay_required",)


def create_endpoint(principal: Principal, model: RegisteredModel, slug: str, *, description: str = "") -> Endpoint:
    """The endpoint answers once a version is promoted to it. It belongs to its model's project."""
    policy.require(principal, "endpoint.create", model.project_id)
    _check_slug(slug)
    try:
        with transaction.atomic():
            endpoint = Endpoint.objects.create(
                project_id=model.project_id,
                model=model,
                slug=slug,
                description=check_text(description, "description"),
                created_by_id=principal.user_id,
                changed_sequence=bump_sequence(),
            )
            _check_there(model)
            audit.record(principal, "endpoint.created", endpoint, project_id=endpoint.project_id)
    except IntegrityError:
        raise Conflict(
            _("An endpoint “%(slug)s” exists already: choose another slug.") % {"slug": slug}, code="slug_taken"
        ) from None
    wait_until_taken(endpoint.changed_sequence)
    return endpoint


def _check_there(model: RegisteredModel) -> None:
    """Under the sequence's lock, which whoever deletes a model holds too."""
    if not RegisteredModel.objects.filter(pk=model.pk, deleted_at=None).exists():
        raise NotFound(_("There is no model “%(name)s”.") % {"name": model.name})


def _check_slug(slug: str) -> None:
    try:
        validate_slug(slug)
    except ValidationError as error:
        raise InvalidInput(error.messages[0], code="invalid_slug", details={"field": "slug"}) from None


def edit_endpoint(principal: Principal, endpoint: Endpoint, changes: dict[str, Any]) -> Endpoint:
    """`changes` may hold `description`, the `SWITCHES` and what `LIMITS` names; the latter holds everywhere when this
    returns."""
    policy.require_endpoint(principal, "endpoint.edit", endpoint.project_id, endpoint.slug)
    served = {name: _checked(name, changes[name]) for name in LIMITS if name in changes}
    switches = {name: _checked_switch(name, changes[name]) for name in SWITCHES if name in changes}
    with transaction.atomic():
        sequence = bump_sequence() if served else 0
        locked = (
            Endpoint.objects.select_for_update(of=("self",)).select_related("model", "live_split").get(pk=endpoint.pk)
        )
        if "description" in changes:
            locked.description = check_text(changes["description"], "description")
        for name, value in {**served, **switches}.items():
            setattr(locked, name, value)
        if served:
            locked.changed_sequence = sequence
        locked.save(update_fields=["description", "changed_sequence", *served, *switches])
        details = {"fields": sorted(changes), **served, **switches}
        audit.record(principal, "endpoint.edited", locked, project_id=locked.project_id, details=details)
    if served:
        wait_until_taken(sequence)
    return locked


def _checked(name: str, value: Any) -> int | None:
    least, most = LIMITS[name]
    if value is None and name in OPTIONAL:
        return None
    if type(value) is not int or not least <= value <= most:
        raise InvalidInput(
            _("%(name)s has to be a whole number from %(least)s to %(most)s.")
            % {"name": name, "least": least, "most": most},
            details={"field": name},
        )
    return value


def _checked_switch(name: str, value: Any) -> bool:
    if type(value) is not bool:
        raise InvalidInput(_("%(name)s has to be true or false.") % {"name": name}, details={"field": name})
    return value


def set_loaded(principal: Principal, endpoint: Endpoint, loaded: bool, *, reason: str = "") -> Endpoint:
    """Takes an endpoint out of service, or back into it, without touching its split. Idempotent."""
    policy.require_endpoint(principal, "endpoint.deploy", endpoint.project_id, endpoint.slug)
    if loaded and endpoint.live_split is not None:
        load_everywhere(
            [share.variant.version for share in endpoint.live_split.shares.select_related("variant__version")]
        )
    with transaction.atomic():
        sequence = bump_sequence()
        locked = Endpoint.objects.select_for_update(of=("self",)).get(pk=endpoint.pk)
        if (locked.unloaded_at is None) != loaded:
            locked.unloaded_at, locked.changed_sequence = None if loaded else timezone.now(), sequence
            locked.save(update_fields=["unloaded_at", "changed_sequence"])
            action = "endpoint.loaded" if loaded else "endpoint.unloaded"
            audit.record(principal, action, locked, project_id=locked.project_id, reason=reason)
    wait_until_taken(sequence)
    return locked


def delete_endpoint(principal: Principal, endpoint: Endpoint, *, reason: str) -> None:
    """Takes the address away; its history and record stay, and the slug becomes free again."""
    policy.require_endpoint(principal, "endpoint.delete", endpoint.project_id, endpoint.slug)
    check_reason(reason, required=False)
    with transaction.atomic():
        sequence = bump_sequence()
        locked = Endpoint.objects.select_for_update().get(pk=endpoint.pk)
        check_idle(locked)
        if locked.deleted_at is None:
            audit.record(principal, "endpoint.deleted", locked, project_id=locked.project_id, reason=reason)
            locked.deleted_at, locked.changed_sequence = timezone.now(), sequence
            locked.save(update_fields=["deleted_at", "changed_sequence"])
    wait_until_taken(sequence)
