"""The projects that one belongs to, and the settings of each with a preview of what its rules would do."""

from __future__ import annotations

from typing import Any

from django.http import HttpResponse
from django.utils.translation import gettext as _

from portal.lib.errors import PortalError
from registry import selectors
from registry.access import policy
from registry.models import Project, Role
from registry.pages.access import PageRequest, page
from registry.pages.answers import blame, go, show
from registry.pages.project_forms import ProjectForm
from registry.pages.selectors_pages import page_of
from registry.services.projects import edit_project
from registry.services.quotas import kept_bytes, largest_upload
from registry.services.retention import Preview, check_rules, preview
from registry.services.sweeping import last_missing

MOST_SHOWN = 50


@page(GET="project.view")
def projects(request: PageRequest) -> HttpResponse:
    found: Any = page_of(request, selectors.projects_for(request.principal))
    for project in found.object_list:
        project.kept_bytes = kept_bytes(project)
        role = request.principal.roles.get(project.pk)
        project.role = Role(role).label if role else ""
    return show(request, "registry/projects.html", {"page": found})


@page(GET="project.view", POST="project.edit")
def project(request: PageRequest, project: str) -> HttpResponse:
    """“Preview” shows what the rules in the form would do, saved or not; “Save” keeps them.

    It is worked out when somebody asks for it: with many versions that takes longer than the rest of the page.
    """
    found = selectors.get_project(request.principal, project)
    if request.method != "POST":
        shown = preview(found) if found.retention and "preview" in request.GET else None
        return _show(request, found, _form(request, found, None), 200, shown)
    policy.require(request.principal, "project.edit", found.pk)
    form = _form(request, found, request.POST)
    if not form.is_valid():
        return _show(request, found, form, 400)
    try:
        if request.POST.get("act") == "preview":
            rules = check_rules(form.rules())
            return _show(request, found, form, 200, preview(found, rules) if rules else None, tried=True)
        edit_project(request.principal, found, form.settings())
    except PortalError as error:
        return _show(request, found, form, blame(form, error))
    return go(request, "project", found.slug, said=_("The settings are saved."))


def _form(request: PageRequest, project: Project, data: Any) -> ProjectForm:
    may_edit = policy.can(request.principal, "project.edit", project.pk)
    return ProjectForm(data, project=project, may_edit=may_edit, may_limit=request.principal.is_superuser)


def _show(
    request: PageRequest,
    project: Project,
    form: ProjectForm,
    status: int,
    found: Preview | None = None,
    *,
    tried: bool = False,
) -> HttpResponse:
    context = {
        "project": project,
        "form": form,
        "may_edit": policy.can(request.principal, "project.edit", project.pk),
        "kept_bytes": kept_bytes(project),
        "largest_upload": largest_upload(project),
        "members": project.memberships.select_related("user").order_by("user__username")[:200],
        "missing": last_missing(project.pk),
        "preview": found,
        "shown": found.planned[:MOST_SHOWN] if found else [],
        "n_unshown": max(0, len(found.planned) - MOST_SHOWN) if found else 0,
        "tried": tried,
    }
    return show(request, "registry/project.html", context, status)
