"""`model-versions/...`: registering, reading, describing and moving versions."""

from __future__ import annotations

from django.db.models import F, QuerySet
from django.db.models.expressions import Combinable
from django.db.models.functions import Coalesce
from rest_framework.request import Request
from rest_framework.response import Response

from registry import selectors
from registry.access import policy
from registry.mlflow import searching, stages
from registry.mlflow.base import MlflowView, empty
from registry.mlflow.entities import OWN_TAGS, fresh, place_of, version_json
from registry.mlflow.grammar import Name, order
from registry.mlflow.registered_models import number_of
from registry.mlflow.registering import register
from registry.mlflow.said import Said
from registry.models import ModelVersion
from registry.services import deletion, versions
from registry.services.tagging import tag_version

MOST_VERSIONS = 200_000
COLUMNS = {
    "name": "model__name",
    "version_number": "number",
    "version": "number",
    "creation_timestamp": "created_at",
}


def _expression(name: Name) -> Combinable | None:
    if name.kind == "tag":
        return searching.text_at("tags", name.key)
    if name.kind != "attribute":
        return None
    if name.key == "last_updated_timestamp":
        return Coalesce("archived_at", "validated_at", "created_at")
    if name.key == "run_id":
        return searching.text_at("lineage", "run", "id")
    if name.key in ("source_path", "source"):
        return searching.text_at("tags", OWN_TAGS["source"])
    return F(COLUMNS[name.key]) if name.key in COLUMNS else None


def versions_for(view: MlflowView) -> QuerySet[ModelVersion]:
    alive = ModelVersion.objects.filter(policy.visible(view.principal, "model__project_id"))
    return (
        alive.filter(deleted_at=None, model__deleted_at=None)
        .select_related("model", "created_by")
        .prefetch_related("aliases")
    )


def named(view: MlflowView, said: Said) -> ModelVersion:
    return selectors.get_version(view.principal, said.required("name"), number_of(said.required("version")))


def whole(version: ModelVersion) -> Response:
    return Response({"model_version": version_json(fresh(version.model, version.number))})


class Create(MlflowView):
    actions = {"POST": "version.upload"}

    def post(self, request: Request) -> Response:
        return whole(register(self.principal, self.plain, self.said()))


class Get(MlflowView):
    actions = {"GET": "model.view"}

    def get(self, request: Request) -> Response:
        return Response({"model_version": version_json(named(self, self.said()))})


class Search(MlflowView):
    actions = {"GET": "model.view"}

    def get(self, request: Request) -> Response:
        said = self.said()
        rows = searching.search(versions_for(self), said.text("filter"), _expression)
        wanted = searching.orders(said) or [order("last_updated_timestamp DESC"), order("name")]
        rows = searching.ordered(rows, wanted, _expression, "-pk")
        found, token = searching.page(rows, said, default=10_000, most=MOST_VERSIONS)
        return Response({"model_versions": [version_json(version) for version in found], "next_page_token": token})


class Update(MlflowView):
    actions = {"PATCH": "version.edit"}

    def patch(self, request: Request) -> Response:
        said = self.said()
        version = named(self, said)
        if "description" in said:
            versions.edit_version(self.principal, version, {"description": said.text("description")})
        return whole(version)


class Delete(MlflowView):
    actions = {"DELETE": "version.delete"}

    def delete(self, request: Request) -> Response:
        said = self.said()
        deletion.delete_version(self.principal, named(self, said), reason="Deleted through the MLflow client.")
        return empty()


class TransitionStage(MlflowView):
    actions = {"POST": "alias.set"}

    def post(self, request: Request) -> Response:
        said = self.said()
        version = named(self, said)
        stages.move(self.principal, version, said.required("stage"), said.flag("archive_existing_versions"))
        return whole(version)


class DownloadUri(MlflowView):
    actions = {"GET": "version.download"}

    def get(self, request: Request) -> Response:
        return Response({"artifact_uri": place_of(named(self, self.said()))})


class SetTag(MlflowView):
    actions = {"POST": "version.edit"}

    def post(self, request: Request) -> Response:
        said = self.said()
        tag_version(self.principal, named(self, said), {said.required("key"): said.text("value")})
        return empty()


class DeleteTag(MlflowView):
    actions = {"DELETE": "version.edit"}

    def delete(self, request: Request) -> Response:
        said = self.said()
        tag_version(self.principal, named(self, said), {}, said.required("key"))
        return empty()
