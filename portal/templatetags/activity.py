"""What happened to a model, its versions, its aliases and its endpoints, for everybody who sees the model."""

from __future__ import annotations

from typing import Any

from django import template
from django.core.paginator import Page, Paginator
from django.db.models import Q, QuerySet, TextField
from django.db.models.functions import Cast
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from inference.selectors.endpoints import endpoints_for
from portal.lib.words import percent
from registry.models import AuditEvent, RegisteredModel

register = template.Library()

PAGE_SIZE = 40


@register.simple_tag(takes_context=True)
def activity_of(context: dict[str, Any], model: RegisteredModel) -> Page[AuditEvent]:
    """The page of events that the address asks for, newest first."""
    request = context["request"]
    endpoints = [str(pk) for pk in endpoints_for(request.principal).filter(model=model).values_list("pk", flat=True)]
    return Paginator(events_of(model, endpoints), PAGE_SIZE).get_page(request.GET.get("page"))


def events_of(model: RegisteredModel, endpoint_ids: list[str]) -> QuerySet[AuditEvent]:
    """Names may have belonged to a model that was deleted: rows are found by id, aliases by name since it exists."""
    versions = model.versions.annotate(text=Cast("pk", TextField())).order_by().values("text")
    alias = Q(object_type="ModelAlias", object_name__startswith=f"{model.name}@", at__gte=model.created_at)
    mine = Q(object_type="RegisteredModel", object_id=str(model.pk)) | alias
    mine |= Q(object_type="ModelVersion", object_id__in=versions)
    mine |= Q(object_type="Endpoint", object_id__in=endpoint_ids)
    # Who took a copy is for the record, and would hide what was changed.
    return AuditEvent.objects.filter(mine, project_id=model.project_id).exclude(action="version.downloaded")


SENTENCES: dict[str, Any] = {
    "model.created": gettext_lazy("registered the model"),
    "model.edited": gettext_lazy("edited its card or tags"),
    "model.deleted": gettext_lazy("deleted the model"),
    "version.uploaded": gettext_lazy("uploaded a version"),
    "version.ready": gettext_lazy("found a version ready"),
    "version.rejected": gettext_lazy("rejected a version"),
    "version.edited": gettext_lazy("described a version"),
    "version.archived": gettext_lazy("archived a version"),
    "version.restored": gettext_lazy("restored a version"),
    "version.deleted": gettext_lazy("deleted a version"),
    "version.proven": gettext_lazy("found a refused version to be what was registered again"),
    "version.quarantined": gettext_lazy("quarantined a version"),
    "version.tampered": gettext_lazy("found other bytes than were registered"),
    "version.released": gettext_lazy("released a version from quarantine"),
    "alias.deleted": gettext_lazy("removed an alias"),
    "endpoint.created": gettext_lazy("made an endpoint"),
    "endpoint.edited": gettext_lazy("changed an endpoint’s settings"),
    "endpoint.promoted": gettext_lazy("sent all traffic to a version"),
    "endpoint.split_changed": gettext_lazy("changed the split of the traffic"),
    "endpoint.rolled_back": gettext_lazy("rolled the traffic back"),
    "endpoint.fell_back": gettext_lazy("fell back to the split before"),
    "endpoint.rehearsed": gettext_lazy("rehearsed a rollback"),
    "version.unpacked": gettext_lazy("unpacked a version"),
    "version.sealed": gettext_lazy("sealed a version"),
    "model.renamed": gettext_lazy("renamed the model"),
    "signing_key.added": gettext_lazy("added a signing key"),
    "signing_key.revoked": gettext_lazy("revoked a signing key"),
    "token.created": gettext_lazy("made an API token"),
    "token.revoked": gettext_lazy("revoked an API token"),
    "project.edited": gettext_lazy("changed a project’s settings"),
    "upload.begun": gettext_lazy("began an upload"),
    "upload.completed": gettext_lazy("completed an upload"),
    "golden.asked": gettext_lazy("ran the golden requests"),
    "endpoint.loaded": gettext_lazy("put an endpoint back into service"),
    "endpoint.unloaded": gettext_lazy("took an endpoint out of service"),
}


# With the shares behind them, where the record has them.
MOVES: dict[str, Any] = {
    "endpoint.promoted": gettext_lazy("sent all traffic to"),
    "endpoint.split_changed": gettext_lazy("split the traffic:"),
    "endpoint.rolled_back": gettext_lazy("rolled the traffic back to"),
    "endpoint.fell_back": gettext_lazy("fell back to"),
}


# With the name behind them: the record has them under the model.
NAMED: dict[str, Any] = {
    "golden.added": gettext_lazy("added the golden request"),
    "golden.deleted": gettext_lazy("deleted the golden request"),
}


@register.simple_tag
def happened(event: AuditEvent) -> SafeString:
    """What was done, in words; what has none yet shows its action."""
    if event.action == "alias.set":
        return _alias_moved(event)
    if event.action in MOVES and (shares := _shares(event)):
        return format_html("{} {}", MOVES[event.action], shares)
    if event.action in NAMED and (name := event.details.get("name")):
        return format_html("{} “<bdi>{}</bdi>”", NAMED[event.action], name)
    sentence = SENTENCES.get(event.action)
    code = event.details.get("code") if event.action == "version.rejected" else ""
    if not sentence:
        return format_html("<code>{}</code>", event.action)
    return format_html("{} <code>{}</code>", sentence, code) if code else format_html("{}", sentence)


def _shares(event: AuditEvent) -> str:
    """v3, or v3 90 %, v4 10 %."""
    after = event.details.get("after")
    shares = [share for share in (after or {}).get("shares", []) if share["weight_bp"]]
    if len(shares) == 1:
        return f"v{shares[0]['version']}"
    return ", ".join(f"v{share['version']} {percent(share['weight_bp'])}" for share in shares)


def _alias_moved(event: AuditEvent) -> SafeString:
    alias = event.object_name.partition("@")[2]
    before, after = event.details.get("from"), event.details.get("to")
    if before is None:
        said = _("gave v%(after)s the alias") % {"after": after}
    else:
        said = _("moved from v%(before)s to v%(after)s the alias") % {"before": before, "after": after}
    return format_html('{} <span class="tag tag-alias"><bdi>{}</bdi></span>', said, alias)
