"""What the pages of one model share: its head and its tabs."""

from __future__ import annotations

from typing import Any, NamedTuple

from django.urls import reverse
from django.utils.translation import gettext_lazy as _

from registry.access import policy
from registry.models import RegisteredModel
from registry.pages import selectors_pages
from registry.pages.access import PageRequest


class Tab(NamedTuple):
    """`name` is that of the route; the golden requests' page is of the app that serves."""

    name: str
    label: Any
    icon: str


TABS = (
    Tab("model", _("Versions"), "layers"),
    Tab("model-compare", _("Compare"), "git-compare"),
    Tab("model-lineage", _("Lineage"), "git-fork"),
    Tab("model-endpoints", _("Endpoints"), "waypoints"),
    Tab("golden", _("Golden requests"), "list-checks"),
    Tab("model-activity", _("Activity"), "history"),
)


def frame(request: PageRequest, model: RegisteredModel, tab: str) -> dict[str, Any]:
    """What `registry/_model_frame.html` shows around each tab."""
    counts = selectors_pages.model_counts(model)
    return {
        "model": model,
        "counts": counts,
        "n_versions": sum(counts.values()),
        "tab": tab,
        "tabs": [(each, reverse(each.name, args=[model.name])) for each in TABS],
        "may_edit": policy.can(request.principal, "model.edit", model.project_id),
        "may_upload": policy.can(request.principal, "version.upload", model.project_id),
    }
