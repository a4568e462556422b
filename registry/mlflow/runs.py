"""`runs/...`: beginning, ending, finding and taking away; what is logged into them stands in `run_data.py`."""

from __future__ import annotations

from contextlib import suppress

from django.db.models import F, OuterRef, Subquery
from django.db.models.expressions import Combinable
from django.utils import timezone
from django.utils.translation import gettext as _
from rest_framework.request import Request
from rest_framework.response import Response

from portal.lib.errors import InvalidInput, NotFound
from registry.mlflow import finding, searching
from registry.mlflow.base import MlflowView, empty
from registry.mlflow.experiments import of_view
from registry.mlflow.grammar import Name, order
from registry.mlflow.said import Said
from registry.mlflow.tracking_entities import moment, run_info, runs_json
from registry.models import TrackingMetric, TrackingRun
from registry.services import tracking

MOST_RUNS = 50_000
STATUSES = ("RUNNING", "SCHEDULED", "FINISHED", "FAILED", "KILLED")
COLUMNS = {
    "run_id": "run_id", "run_uuid": "run_id", "run_name": "name", "status": "status", "start_time": "started_at",
    "end_time": "ended_at", "created": "started_at", "user_id": "created_by__username",
}  # fmt: skip


def _expression(name: Name) -> Combinable | None:
    if name.kind == "metric":
        measured = TrackingMetric.objects.filter(run=OuterRef("pk"), key=name.key)
        return Subquery(measured.order_by("-step", "-timestamp", "-pk").values("value")[:1])
    if name.kind in ("param", "tag"):
        return searching.text_at(f"{name.kind}s", name.key)
    key = name.key.lower().replace(" ", "_")
    return F(COLUMNS[key]) if key in COLUMNS else None


def named(view: MlflowView, said: Said) -> TrackingRun:
    return finding.run(view.principal, said.text("run_id") or said.required("run_uuid"))


def whole(run: TrackingRun) -> Response:
    return Response({"run": runs_json([run])[0]})


def _status(said: Said, default: str) -> str:
    """By name, or by protobuf's number."""
    text = said.text("status", default)
    numbered = {str(at): name for at, name in enumerate(STATUSES, 1)}
    text = numbered.get(text, text)
    if text not in STATUSES:
        raise InvalidInput(
            _("“%(status)s” is no status: use one of %(known)s.") % {"status": text[:60], "known": ", ".join(STATUSES)},
            details={"field": "status"},
        )
    return text


class Create(MlflowView):
    actions = {"POST": "version.upload"}

    def post(self, request: Request) -> Response:
        said = self.said()
        experiment = finding.experiment(self.principal, self.plain, said.text("experiment_id", finding.DEFAULT_ID))
        facts = {"name": said.text("run_name"), "tags": said.pairs("tags")}
        started = moment(said.number("start_time")) or timezone.now()
        run = tracking.create_run(self.principal, experiment, started_at=started, **facts)
        return whole(finding.run(self.principal, run.pk))


class Get(MlflowView):
    actions = {"GET": "model.view"}

    def get(self, request: Request) -> Response:
        return whole(named(self, self.said()))


class Update(MlflowView):
    actions = {"POST": "version.upload"}

    def post(self, request: Request) -> Response:
        said = self.said()
        run = named(self, said)
        facts: dict[str, object] = {}
        if "status" in said:
            facts["status"] = _status(said, run.status)
        if "end_time" in said:
            facts["ended_at"] = moment(said.number("end_time"))
        if said.text("run_name"):
            facts["name"] = said.text("run_name")
        return Response({"run_info": run_info(tracking.edit_run(self.principal, run, **facts))})


class Search(MlflowView):
    actions = {"POST": "model.view"}

    def post(self, request: Request) -> Response:
        said = self.said()
        rows = of_view(finding.runs_for(self.principal), said.text("run_view_type"))
        rows = rows.filter(experiment__in=experiment_ids(self, said))
        rows = searching.search(rows, said.text("filter"), _expression)
        wanted = searching.orders(said) or [order("start_time DESC")]
        rows = searching.ordered(rows, wanted, _expression, "run_id")
        found, token = searching.page(rows, said, default=1000, most=MOST_RUNS)
        return Response({"runs": runs_json(found), "next_page_token": token})


def experiment_ids(view: MlflowView, said: Said) -> list[int]:
    """Those that are there and may be seen; MLflow finds nothing in the others, and says nothing."""
    wanted = said.texts("experiment_ids")
    found = [int(text) for text in wanted if finding.is_number(text)]
    if finding.DEFAULT_ID in wanted:
        with suppress(NotFound):
            found.append(finding.experiment(view.principal, view.plain, finding.DEFAULT_ID).pk)
    return found


class Delete(MlflowView):
    actions = {"POST": "version.upload"}

    def post(self, request: Request) -> Response:
        tracking.delete_run(self.principal, named(self, self.said()))
        return empty()


class Restore(MlflowView):
    actions = {"POST": "version.upload"}

    def post(self, request: Request) -> Response:
        tracking.restore_run(self.principal, named(self, self.said()))
        return empty()
