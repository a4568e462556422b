"""In which project a call works: what MLflow calls a workspace is a project here."""

from __future__ import annotations

from django.http import HttpRequest
from django.utils.translation import gettext as _

from portal.lib.errors import NotFound
from registry import selectors
from registry.access.principal import Principal
from registry.models import Project

HEADER = "X-MLFLOW-WORKSPACE"


def project_of(principal: Principal, request: HttpRequest) -> Project:
    """The one that `MLFLOW_WORKSPACE` names, else `default`, else the only one that the caller is a member of."""
    named = request.headers.get(HEADER, "")
    if named:
        return selectors.get_project(principal, named)
    mine = list(selectors.projects_for(principal).order_by("pk")[:2])
    default = selectors.projects_for(principal).filter(slug=selectors.DEFAULT_PROJECT).first()
    if default is not None:
        return default
    if len(mine) == 1:
        return mine[0]
    if mine:
        raise NotFound(_("You are a member of several projects: name one of them in MLFLOW_WORKSPACE."))
    return selectors.get_project(principal, None)
