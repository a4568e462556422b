"""What a script logs into a run: metrics, parameters, tags, and which models it made or used."""

from __future__ import annotations

from typing import Any

from django.utils import timezone
from django.utils.translation import gettext as _
from rest_framework.request import Request
from rest_framework.response import Response

from portal.lib.errors import InvalidInput
from registry.mlflow import finding, searching
from registry.mlflow.base import MlflowView, empty
from registry.mlflow.entities import milliseconds
from registry.mlflow.runs import named
from registry.mlflow.said import Said
from registry.mlflow.tracking_entities import metric_json
from registry.models import TrackingMetric, TrackingRun
from registry.services import tracking_notes


def _metric(said: Said, run: TrackingRun) -> TrackingMetric:
    if "key" not in said or "value" not in said:
        raise InvalidInput(_("A metric has a “key” and a “value”."), details={"field": "metrics"})
    return TrackingMetric(
        run=run,
        key=said.required("key"),
        value=said.decimal("value"),
        timestamp=said.number("timestamp", milliseconds(timezone.now())),
        step=said.number("step", 0),
        model_id=said.text("model_id")[:40],
    )


class LogMetric(MlflowView):
    actions = {"POST": "version.upload"}

    def post(self, request: Request) -> Response:
        said = self.said()
        run = named(self, said)
        tracking_notes.log(self.principal, run, metrics=[_metric(said, run)])
        return empty()


class LogParam(MlflowView):
    actions = {"POST": "version.upload"}

    def post(self, request: Request) -> Response:
        said = self.said()
        tracking_notes.log(self.principal, named(self, said), params={said.required("key"): said.text("value")})
        return empty()


class LogBatch(MlflowView):
    actions = {"POST": "version.upload"}

    def post(self, request: Request) -> Response:
        said = self.said()
        run = named(self, said)
        metrics = [_metric(item, run) for item in said.objects("metrics")]
        tracking_notes.log(
            self.principal, run, metrics=metrics, params=said.pairs("params", once=True), tags=said.pairs("tags")
        )
        return empty()


class SetTag(MlflowView):
    actions = {"POST": "version.upload"}

    def post(self, request: Request) -> Response:
        said = self.said()
        tracking_notes.log(self.principal, named(self, said), tags={said.required("key"): said.text("value")})
        return empty()


class DeleteTag(MlflowView):
    actions = {"POST": "version.upload"}

    def post(self, request: Request) -> Response:
        said = self.said()
        tracking_notes.log(self.principal, named(self, said), removed_tag=said.required("key"))
        return empty()


class LogInputs(MlflowView):
    """Data sets also become tags of the run by name and digest, so that the search finds them."""

    actions = {"POST": "version.upload"}

    def post(self, request: Request) -> Response:
        said = self.said()
        run = named(self, said)
        datasets = [_dataset(item) for item in said.objects("datasets")]
        models = [{"model_id": _model_id(item), "kind": "input"} for item in said.objects("models")]
        used = {f"dataset.{item['dataset']['name']}"[:250]: item["dataset"]["digest"] for item in datasets}
        tracking_notes.log(self.principal, run, tags=used)
        _keep(self, run, [*datasets, *models])
        return empty()


def _dataset(item: Said) -> dict[str, Any]:
    """As MLflow shows it again; a schema or profile that is too long to keep is left out."""
    for dataset in item.objects("dataset"):
        said = {part: dataset.text(part) for part in ("source_type", "source", "schema", "profile")}
        kept = {part: text for part, text in said.items() if 0 < len(text) <= tracking_notes.MOST_VALUE_CHARACTERS}
        named = {"name": dataset.required("name"), "digest": dataset.required("digest")[:250]}
        return {"kind": "dataset", "dataset": named | kept, "tags": tracking_notes.merged({}, item.pairs("tags"))}
    raise InvalidInput(_("A data set has a “dataset” with a name and a digest."), details={"field": "datasets"})


class LogOutputs(MlflowView):
    actions = {"POST": "version.upload"}

    def post(self, request: Request) -> Response:
        said = self.said()
        made = [{"model_id": _model_id(item), "step": item.number("step", 0)} for item in said.objects("models")]
        _keep(self, named(self, said), made)
        return empty()


def _model_id(item: Said) -> str:
    return item.required("model_id")[:40]


def _keep(view: MlflowView, run: TrackingRun, made: list[dict[str, Any]]) -> None:
    if made:
        tracking_notes.add_outputs(view.principal, run, made)


class LogModel(MlflowView):
    """Older clients describe a model here; what they logged is in the artifacts."""

    actions = {"POST": "version.upload"}

    def post(self, request: Request) -> Response:
        said = self.said()
        run = named(self, said)
        tracking_notes.log(
            self.principal, run, tags={"mlflow.log-model.history": f"[{said.text('model_json')[:7000]}]"}
        )
        return empty()


class MetricHistory(MlflowView):
    actions = {"GET": "model.view"}

    def get(self, request: Request) -> Response:
        said = self.said()
        run = finding.run(self.principal, said.text("run_id") or said.required("run_uuid"))
        rows = TrackingMetric.objects.filter(run=run, key=said.required("metric_key"))
        # A metric that the client says once more of a logged model is still one value.
        rows = rows.order_by("timestamp", "step", "value").distinct("timestamp", "step", "value")
        found, token = searching.page(rows, said, default=25_000, most=25_000)
        return Response({"metrics": [metric_json(row) for row in found], "next_page_token": token})
