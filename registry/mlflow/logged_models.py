"""`logged-models/...`: what `log_model` makes before anything is registered."""

from __future__ import annotations

from django.db.models import F, OuterRef, Subquery
from django.db.models.expressions import Combinable
from django.utils.translation import gettext as _
from rest_framework.request import Request
from rest_framework.response import Response

from portal.lib.errors import InvalidInput
from registry.mlflow import finding, searching
from registry.mlflow.base import MlflowView, empty
from registry.mlflow.grammar import Name, Order
from registry.mlflow.runs import experiment_ids
from registry.mlflow.said import Said
from registry.mlflow.tracking_entities import MODEL_TYPE, logged_models_json
from registry.models import LoggedModel, TrackingMetric
from registry.services import tracking, tracking_notes

MOST_MODELS = 1_000
STATUSES = (
    "LOGGED_MODEL_STATUS_UNSPECIFIED",
    "LOGGED_MODEL_PENDING",
    "LOGGED_MODEL_READY",
    "LOGGED_MODEL_UPLOAD_FAILED",
)
COLUMNS = {
    "model_id": "model_id", "name": "name", "model_name": "name", "status": "status", "source_run_id": "run_id",
    "creation_time": "created_at", "creation_timestamp": "created_at", "creation_timestamp_ms": "created_at",
    "last_updated_timestamp": "updated_at", "last_updated_timestamp_ms": "updated_at", "experiment_id": "experiment_id",
}  # fmt: skip


def _expression(name: Name) -> Combinable | None:
    if name.kind == "metric":
        own = {"run__experiment__project": OuterRef("experiment__project")}
        measured = TrackingMetric.objects.filter(model_id=OuterRef("pk"), key=name.key, **own)
        return Subquery(measured.order_by("-step", "-timestamp", "-pk").values("value")[:1])
    if name.kind in ("param", "tag"):
        return searching.text_at(f"{name.kind}s", name.key)
    if name.key == "model_type":
        return searching.text_at("tags", MODEL_TYPE)
    return F(COLUMNS[name.key]) if name.key in COLUMNS else None


def whole(model: LoggedModel) -> Response:
    return Response({"model": logged_models_json([model])[0]})


class Create(MlflowView):
    actions = {"POST": "version.upload"}

    def post(self, request: Request) -> Response:
        said = self.said()
        experiment = finding.experiment(self.principal, self.plain, said.text("experiment_id", finding.DEFAULT_ID))
        run = finding.run(self.principal, said.text("source_run_id")) if said.text("source_run_id") else None
        tags = said.pairs("tags") | ({MODEL_TYPE: said.text("model_type")} if said.text("model_type") else {})
        facts = {"tags": tags, "params": said.pairs("params")}
        name = said.text("name") or "model"
        return whole(tracking.create_logged_model(self.principal, experiment, name, run=run, **facts))


class Search(MlflowView):
    actions = {"POST": "model.view"}

    def post(self, request: Request) -> Response:
        said = self.said()
        rows = finding.logged_models_for(self.principal).filter(experiment__in=experiment_ids(self, said))
        rows = searching.search(rows, said.text("filter"), _expression)
        rows = searching.ordered(rows, _orders(said), _expression, "-model_id")
        found, token = searching.page(rows, said, default=100, most=MOST_MODELS)
        return Response({"models": logged_models_json(found), "next_page_token": token})


def _orders(said: Said) -> list[Order]:
    """Here the client sends objects in place of texts."""
    wanted = []
    for item in said.objects("order_by")[:10]:
        kind, _dot, key = item.required("field_name").partition(".")
        name = Name(kind.removesuffix("s"), key) if key else Name("attribute", kind)
        wanted.append(Order(name, not item.flag("ascending") and "ascending" in item))
    return wanted or [Order(Name("attribute", "creation_timestamp"), True)]


class Detail(MlflowView):
    actions = {"GET": "model.view", "PATCH": "version.upload", "DELETE": "version.upload"}

    def get(self, request: Request, model_id: str) -> Response:
        return whole(finding.logged_model(self.principal, model_id))

    def patch(self, request: Request, model_id: str) -> Response:
        said = self.said()
        model = finding.logged_model(self.principal, model_id)
        tracking.finish_logged_model(self.principal, model, _status(said))
        return whole(finding.logged_model(self.principal, model_id))

    def delete(self, request: Request, model_id: str) -> Response:
        tracking.delete_logged_model(self.principal, finding.logged_model(self.principal, model_id))
        return empty()


def _status(said: Said) -> str:
    text = said.required("status")
    text = STATUSES[int(text)] if text in ("1", "2", "3") else text
    if text not in STATUSES[1:]:
        raise InvalidInput(_("“%(status)s” is no status of a logged model.") % {"status": text[:60]})
    return text


class SetTags(MlflowView):
    actions = {"PATCH": "version.upload"}

    def patch(self, request: Request, model_id: str) -> Response:
        model = finding.logged_model(self.principal, model_id)
        tracking_notes.note(self.principal, model, tags=self.said().pairs("tags"))
        return whole(finding.logged_model(self.principal, model_id))


class DeleteTag(MlflowView):
    actions = {"DELETE": "version.upload"}

    def delete(self, request: Request, model_id: str, key: str) -> Response:
        tracking_notes.note(self.principal, finding.logged_model(self.principal, model_id), removed_tag=key)
        return empty()


class LogParams(MlflowView):
    actions = {"POST": "version.upload"}

    def post(self, request: Request, model_id: str) -> Response:
        model = finding.logged_model(self.principal, model_id)
        tracking_notes.note(self.principal, model, params=self.said().pairs("params"))
        return empty()
