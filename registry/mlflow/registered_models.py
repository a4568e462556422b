"""`registered-models/...`: what the client does with a model as a whole."""

from __future__ import annotations

from contextlib import suppress

from django.db.models import F, QuerySet
from django.db.models.expressions import Combinable
from django.utils.translation import gettext as _
from rest_framework.request import Request
from rest_framework.response import Response

from portal.lib.errors import InvalidInput, NotFound
from registry import selectors
from registry.mlflow import searching
from registry.mlflow.base import MlflowView, NotImplementedHere, empty
from registry.mlflow.entities import STAGES, latest_versions, model_json, stage_of, version_json
from registry.mlflow.grammar import Name, order
from registry.mlflow.workspace import project_of
from registry.models import RegisteredModel
from registry.services import aliases, catalog, deletion
from registry.services.renaming import rename_model
from registry.services.tagging import tag_model

MOST_MODELS = 1000
COLUMNS = {
    "name": "name",
    "creation_timestamp": "created_at",
    "last_updated_timestamp": "updated_at",
    "timestamp": "updated_at",
}


def models_for(view: MlflowView) -> QuerySet[RegisteredModel]:
    return selectors.models_for(view.principal).prefetch_related("aliases__version")


def whole(model: RegisteredModel) -> Response:
    return Response({"registered_model": model_json(model, latest_versions([model])[model.pk])})


def _expression(name: Name) -> Combinable | None:
    if name.kind == "tag":
        return searching.text_at("tags", name.key)
    return F(COLUMNS[name.key]) if name.kind == "attribute" and name.key in COLUMNS else None


def number_of(text: str) -> int:
    """MLflow's versions are text. Raises InvalidInput."""
    if not text.isascii() or not text.isdigit() or len(text) > 9:
        raise InvalidInput(
            _("“%(version)s” is no version number: it has to be a whole number such as 3.") % {"version": text[:60]},
            details={"field": "version"},
        )
    return int(text)


class Create(MlflowView):
    actions = {"POST": "model.create"}

    def post(self, request: Request) -> Response:
        said = self.said()
        tags = said.pairs("tags")
        if tags.get(searching.PROMPT_TAG) == "true":
            raise NotImplementedHere(_("This portal keeps models and no prompts: keep those on a server of MLflow."))
        project = project_of(self.principal, self.plain)
        model = catalog.create_model(
            self.principal,
            project,
            said.required("name"),
            description=said.text("description"),
            tags=tags,
        )
        return whole(model)


class Get(MlflowView):
    actions = {"GET": "model.view"}

    def get(self, request: Request) -> Response:
        return whole(selectors.get_model(self.principal, self.said().required("name")))


class Search(MlflowView):
    actions = {"GET": "model.view"}

    def get(self, request: Request) -> Response:
        said = self.said()
        rows = searching.search(models_for(self), said.text("filter"), _expression)
        wanted = searching.orders(said) or [order("name")]
        rows = searching.ordered(rows, wanted, _expression, "pk")
        found, token = searching.page(rows, said, default=100, most=MOST_MODELS)
        latest = latest_versions(found)
        listed = [model_json(model, latest[model.pk]) for model in found]
        return Response({"registered_models": listed, "next_page_token": token})


class Rename(MlflowView):
    actions = {"POST": "model.edit"}

    def post(self, request: Request) -> Response:
        said = self.said()
        model = selectors.get_model(self.principal, said.required("name"))
        return whole(rename_model(self.principal, model, said.required("new_name")))


class Update(MlflowView):
    actions = {"PATCH": "model.edit"}

    def patch(self, request: Request) -> Response:
        said = self.said()
        model = selectors.get_model(self.principal, said.required("name"))
        if "description" in said:
            model = catalog.edit_model(self.principal, model, {"description": said.text("description")})
        return whole(model)


class Delete(MlflowView):
    actions = {"DELETE": "model.delete"}

    def delete(self, request: Request) -> Response:
        deletion.delete_model(self.principal, selectors.get_model(self.principal, self.said().required("name")))
        return empty()


class LatestVersions(MlflowView):
    actions = {"GET": "model.view", "POST": "model.view"}

    def get(self, request: Request) -> Response:
        said = self.said()
        model = selectors.get_model(self.principal, said.required("name"))
        wanted = {stage_named(text) for text in said.texts("stages")}
        found = latest_versions([model])[model.pk]
        listed = [version for version in found if not wanted or stage_of(version) in wanted]
        return Response({"model_versions": [version_json(version) for version in listed]})

    post = get


def stage_named(text: str) -> str:
    known = {name.lower(): name for name in ("None", *STAGES, "Archived")}
    if text.lower() not in known:
        raise InvalidInput(
            _("“%(stage)s” is no stage: it has to be None, Staging, Production or Archived.") % {"stage": text[:60]},
            details={"field": "stage"},
        )
    return known[text.lower()]


class SetTag(MlflowView):
    actions = {"POST": "model.edit"}

    def post(self, request: Request) -> Response:
        said = self.said()
        model = selectors.get_model(self.principal, said.required("name"))
        tag_model(self.principal, model, {said.required("key"): said.text("value")})
        return empty()


class DeleteTag(MlflowView):
    actions = {"DELETE": "model.edit"}

    def delete(self, request: Request) -> Response:
        said = self.said()
        model = selectors.get_model(self.principal, said.required("name"))
        tag_model(self.principal, model, {}, said.required("key"))
        return empty()


class Alias(MlflowView):
    actions = {"GET": "model.view", "POST": "alias.set", "DELETE": "alias.set"}

    def get(self, request: Request) -> Response:
        said = self.said()
        model, name = selectors.get_model(self.principal, said.required("name")), said.required("alias")
        try:
            found = selectors.get_alias(self.principal, model.name, name)
            version = selectors.get_version(self.principal, model.name, found.version.number)
        except NotFound:
            # The word for a missing alias is this one in MLflow, not that for a missing object.
            raise InvalidInput(_("Registered model alias %(alias)s not found.") % {"alias": name}) from None
        return Response({"model_version": version_json(version)})

    def post(self, request: Request) -> Response:
        said = self.said()
        name, number = said.required("name"), number_of(said.required("version"))
        version = selectors.get_version(self.principal, name, number)
        aliases.set_alias(self.principal, version, said.required("alias"))
        return empty()

    def delete(self, request: Request) -> Response:
        said = self.said()
        model = selectors.get_model(self.principal, said.required("name"))
        # MLflow says nothing about one that is not there.
        with suppress(NotFound):
            aliases.delete_alias(self.principal, model, said.required("alias"))
        return empty()
