"""Creating endpoints, describing them, taking them away. Moving their traffic is `switching.py`."""

from __future__ import annotations

from typing import Any

from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from inference.models import Endpoint
from inference.routing.convergence import bump_sequence, wait_until_taken
from portal.lib.errors import Conflict, InvalidInput
from registry.access import policy
from registry.access.principal import Principal
from registry.models import RegisteredModel
from registry.models.names import validate_slug
from registry.services import audit
from registry.services.catalog import check_text


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
            audit.record(principal, "endpoint.created", endpoint, project_id=endpoint.project_id)
    except IntegrityError:
        raise Conflict(
            _("An endpoint “%(slug)s” exists already: choose another slug.") % {"slug": slug}, code="slug_taken"
        ) from None
    wait_until_taken(endpoint.changed_sequence)
    return endpoint


def _check_slug(slug: str) -> None:
    try:
        validate_slug(slug)
    except ValidationError as error:
        raise InvalidInput(error.messages[0], code="invalid_slug", details={"field": "slug"}) from None


def edit_endpoint(principal: Principal, endpoint: Endpoint, changes: dict[str, Any]) -> Endpoint:
    """`changes` may hold `description`."""
    policy.require_endpoint(principal, "endpoint.edit", endpoint.project_id, endpoint.slug)
    with transaction.atomic():
        if "description" in changes:
            endpoint.description = check_text(changes["description"], "description")
            endpoint.save(update_fields=["description"])
        audit.record(
            principal, "endpoint.edited", endpoint, project_id=endpoint.project_id, details={"fields": sorted(changes)}
        )
    return endpoint


def delete_endpoint(principal: Principal, endpoint: Endpoint, *, reason: str) -> None:
    """Takes the address away; its history and record stay, and the slug becomes free again."""
    policy.require_endpoint(principal, "endpoint.delete", endpoint.project_id, endpoint.slug)
    with transaction.atomic():
        sequence = bump_sequence()
        locked = Endpoint.objects.select_for_update().get(pk=endpoint.pk)
        if locked.deleted_at is None:
            audit.record(principal, "endpoint.deleted", locked, project_id=locked.project_id, reason=reason)
            locked.deleted_at, locked.changed_sequence = timezone.now(), sequence
            locked.save(update_fields=["deleted_at", "changed_sequence"])
    wait_until_taken(sequence)
