"""`experiments/...`"""

from __future__ import annotations

from django.db.models import F
from django.db.models.expressions import Combinable
from django.utils.translation import gettext as _
from rest_framework.request import Request
from rest_framework.response import Response

from portal.lib.errors import NotFound
from registry.mlflow import finding, searching
from registry.mlflow.base import MlflowView, empty
from registry.mlflow.grammar import Name, order
from registry.mlflow.said import Said
from registry.mlflow.tracking_entities import experiment_json
from registry.mlflow.workspace import project_of
from registry.models import TrackingExperiment
from registry.services import tracking, tracking_notes
from registry.services.tracking import DEFAULT_EXPERIMENT, create_experiment, default_experiment

MOST_EXPERIMENTS = 50_000
COLUMNS = {"name": "name", "experiment_id": "pk", "creation_time": "created_at", "last_update_time": "updated_at"}


def _expression(name: Name) -> Combinable | None:
    if name.kind == "tag":
        return searching.text_at("tags", name.key)
    return F(COLUMNS[name.key]) if name.kind == "attribute" and name.key in COLUMNS else None


def named(view: MlflowView, said: Said) -> TrackingExperiment:
    return finding.experiment(view.principal, view.plain, said.required("experiment_id"))


class Create(MlflowView):
    """An `artifact_location` is not taken: files go where the portal keeps them."""

    actions = {"POST": "version.upload"}

    def post(self, request: Request) -> Response:
        said = self.said()
        project = project_of(self.principal, self.plain)
        made = create_experiment(self.principal, project, said.required("name"), said.pairs("tags"))
        return Response({"experiment_id": str(made.pk)})


class Get(MlflowView):
    actions = {"GET": "model.view"}

    def get(self, request: Request) -> Response:
        return Response({"experiment": experiment_json(named(self, self.said()))})


class GetByName(MlflowView):
    actions = {"GET": "model.view"}

    def get(self, request: Request) -> Response:
        name = self.said().required("experiment_name")
        project = project_of(self.principal, self.plain)
        found = finding.experiments_for(self.principal).filter(project=project, name=name).first()
        if found is None and name == DEFAULT_EXPERIMENT:
            found = default_experiment(project)
        if found is None:
            raise NotFound(_("There is no experiment named “%(name)s”.") % {"name": name[:100]})
        return Response({"experiment": experiment_json(found)})


class Search(MlflowView):
    actions = {"GET": "model.view", "POST": "model.view"}

    def get(self, request: Request) -> Response:
        said = self.said()
        rows = searching.search(finding.experiments_for(self.principal), said.text("filter"), _expression)
        rows = searching.ordered(of_view(rows, said.text("view_type")), _orders(said), _expression, "-pk")
        found, token = searching.page(rows, said, default=1000, most=MOST_EXPERIMENTS)
        return Response({"experiments": [experiment_json(row) for row in found], "next_page_token": token})

    post = get


def _orders(said: Said) -> list[searching.Order]:
    return searching.orders(said) or [order("last_update_time DESC")]


def of_view(rows: searching.QuerySet[searching.Row], view: str) -> searching.QuerySet[searching.Row]:
    """MLflow's ViewType: the living, the deleted, or all."""
    if view in ("ALL", "3"):
        return rows
    return rows.exclude(deleted_at=None) if view in ("DELETED_ONLY", "2") else rows.filter(deleted_at=None)


class Update(MlflowView):
    actions = {"POST": "version.upload"}

    def post(self, request: Request) -> Response:
        said = self.said()
        tracking.rename_experiment(self.principal, named(self, said), said.required("new_name"))
        return empty()


class Delete(MlflowView):
    actions = {"POST": "version.upload"}

    def post(self, request: Request) -> Response:
        tracking.delete_experiment(self.principal, named(self, self.said()))
        return empty()


class Restore(MlflowView):
    actions = {"POST": "version.upload"}

    def post(self, request: Request) -> Response:
        tracking.restore_experiment(self.principal, named(self, self.said()))
        return empty()


class SetTag(MlflowView):
    actions = {"POST": "version.upload"}

    def post(self, request: Request) -> Response:
        said = self.said()
        tracking_notes.note(self.principal, named(self, said), tags={said.required("key"): said.text("value")})
        return empty()


class DeleteTag(MlflowView):
    actions = {"POST": "version.upload"}

    def post(self, request: Request) -> Response:
        said = self.said()
        tracking_notes.note(self.principal, named(self, said), removed_tag=said.required("key"))
        return empty()
