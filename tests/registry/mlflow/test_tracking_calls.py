"""Experiments, runs and logged models, call by call."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client

from registry.models import TrackingMetric
from tests import factories
from tests.registry.mlflow.conftest import Call, caller


def test_experiment__made_found_renamed_deleted_restored(call: Call) -> None:
    made = call("POST", "experiments/create", name="churn", tags=[{"key": "a", "value": "b"}]).json()["experiment_id"]
    found = call("GET", "experiments/get-by-name", experiment_name="churn").json()["experiment"]
    assert (found["experiment_id"], found["tags"], found["lifecycle_stage"]) == (
        made, [{"key": "a", "value": "b"}], "active",
    )  # fmt: skip
    again = call("POST", "experiments/create", name="churn")
    assert (again.status_code, again.json()["error_code"]) == (400, "RESOURCE_ALREADY_EXISTS")
    call("POST", "experiments/update", experiment_id=made, new_name="leave")
    call("POST", "experiments/delete", experiment_id=made)
    assert call("POST", "experiments/search", max_results=10).json()["experiments"] == []
    deleted = call("POST", "experiments/search", view_type="DELETED_ONLY", max_results=10).json()["experiments"]
    assert [row["name"] for row in deleted] == ["leave"]
    call("POST", "experiments/restore", experiment_id=made)
    listed = call("GET", "experiments/search", filter="name LIKE 'le%'").json()["experiments"]
    assert [row["experiment_id"] for row in listed] == [made]
    missing = call("GET", "experiments/get-by-name", experiment_name="no")
    assert (missing.status_code, missing.json()["error_code"]) == (404, "RESOURCE_DOES_NOT_EXIST")


def test_run__logged_into__shows_the_last_of_each(call: Call, run_id: str) -> None:
    call("POST", "runs/log-metric", run_id=run_id, key="loss", value=3.0, timestamp=1, step=0)
    for _again in range(2):
        call("POST", "runs/log-metric", run_id=run_id, key="loss", value=1.0, timestamp="2", step="5")
    call("POST", "runs/log-metric", run_id=run_id, key="loss", value=2.0, timestamp=3, step=1)
    call("POST", "runs/log-parameter", run_id=run_id, key="lr", value="0.1")
    odd = [{"key": "nan", "value": "NaN", "timestamp": 1}, {"key": "inf", "value": "-Infinity", "timestamp": 1}]
    call("POST", "runs/log-batch", run_id=run_id, metrics=odd, tags=[{"key": "t", "value": "x"}])
    call("POST", "runs/update", run_id=run_id, status="FINISHED", end_time=1_700_000_000_000)
    run = call("GET", "runs/get", run_id=run_id).json()["run"]
    assert {m["key"]: m["value"] for m in run["data"]["metrics"]} == {"loss": 1.0, "nan": "NaN", "inf": "-Infinity"}
    assert run["data"]["params"] == [{"key": "lr", "value": "0.1"}]
    assert (run["info"]["status"], run["info"]["end_time"], run["info"]["run_name"]) == (
        "FINISHED", 1_700_000_000_000, "first",
    )  # fmt: skip
    call("POST", "runs/log-metric", run_id=run_id, key="loss", value=3.0, timestamp=1, step=0, model_id="m-1")
    history = call("GET", "metrics/get-history", run_id=run_id, metric_key="loss").json()["metrics"]
    assert [row["value"] for row in history] == [3.0, 1.0, 2.0]


def test_param__said_twice_with_another_value__400_and_the_first_stays(call: Call, run_id: str) -> None:
    call("POST", "runs/log-parameter", run_id=run_id, key="lr", value="0.1")
    assert call("POST", "runs/log-parameter", run_id=run_id, key="lr", value="0.1").status_code == 200
    metrics = [{"key": "m", "value": 1, "timestamp": 1}]
    refused = call("POST", "runs/log-batch", run_id=run_id, metrics=metrics, params=[{"key": "lr", "value": "2"}])
    assert (refused.status_code, refused.json()["error_code"]) == (400, "INVALID_PARAMETER_VALUE")
    twice = [{"key": "x", "value": "1"}, {"key": "x", "value": "2"}]
    assert call("POST", "runs/log-batch", run_id=run_id, metrics=metrics, params=twice).status_code == 400
    assert not TrackingMetric.objects.exists()


@pytest.mark.parametrize(
    "metric", [{"key": "", "value": 1}, {"key": "m"}, {"key": "m", "value": "x"}, {"key": "m", "value": []},
               {"key": "m" * 251, "value": 1}, {"key": "m", "value": 1, "step": 2**63}, {"key": "m", "value": True}],
)  # fmt: skip
def test_metric__odd__400_or_kept_as_nan(call: Call, run_id: str, metric: dict[str, Any]) -> None:
    answer = call("POST", "runs/log-metric", run_id=run_id, timestamp=1, **metric)
    assert answer.status_code == (200 if metric.get("value") is True else 400)


def test_runs__search__by_metric_param_tag_and_status(call: Call, run_id: str) -> None:
    other = call("POST", "runs/create", experiment_id="0", run_name="second").json()["run"]["info"]["run_id"]
    for run, value in ((run_id, 0.9), (other, 0.5)):
        call("POST", "runs/log-metric", run_id=run, key="acc", value=value, timestamp=1)
    call("POST", "runs/log-parameter", run_id=run_id, key="lr", value="0.1")

    def search(text: str = "", **said: Any) -> list[str]:
        answer = call("POST", "runs/search", experiment_ids=["0"], filter=text, **said)
        assert answer.status_code == 200, answer.json()
        return [row["info"]["run_name"] for row in answer.json()["runs"]]

    assert search("metrics.acc > 0.6") == ["first"]
    assert search("params.lr = '0.1' AND attributes.status = 'RUNNING'") == ["first"]
    assert search("tags.mlflow.runName LIKE 'sec%'") == ["second"]
    assert search(order_by=["metrics.acc ASC"]) == ["second", "first"]
    call("POST", "runs/delete", run_id=other)
    assert search() == ["first"]
    assert search(run_view_type="ALL", order_by=["attributes.start_time"]) == ["first", "second"]


def test_logged_model__made_finished_tagged_found(call: Call, run_id: str) -> None:
    made = call("POST", "logged-models", experiment_id="0", name="model", source_run_id=run_id, model_type="onnx")
    info = made.json()["model"]["info"]
    assert (info["status"], info["model_type"], info["source_run_id"]) == ("LOGGED_MODEL_PENDING", "onnx", run_id)
    path = f"logged-models/{info['model_id']}"
    assert call("PATCH", path, model_id=info["model_id"], status="LOGGED_MODEL_READY").status_code == 200
    call("PATCH", f"{path}/tags", tags=[{"key": "a", "value": "b"}])
    call("POST", f"{path}/params", params=[{"key": "p", "value": "1"}])
    call("POST", "runs/outputs", run_id=run_id, models=[{"model_id": info["model_id"], "step": 0}])
    found = call("GET", path).json()["model"]
    assert (found["info"]["status"], found["info"]["tags"]) == ("LOGGED_MODEL_READY", [{"key": "a", "value": "b"}])
    assert found["data"]["params"] == [{"key": "p", "value": "1"}]
    listed = call("POST", "logged-models/search", experiment_ids=["0"], filter="tags.a = 'b'").json()["models"]
    assert [row["info"]["model_id"] for row in listed] == [info["model_id"]]
    run = call("GET", "runs/get", run_id=run_id).json()["run"]
    assert run["outputs"]["model_outputs"] == [{"model_id": info["model_id"], "step": 0}]
    call("DELETE", f"{path}/tags/a")
    call("DELETE", path)
    assert call("GET", path).status_code == 404


def test_tracking__of_a_stranger__as_if_it_were_not_there(call: Call, client: Client, run_id: str) -> None:
    stranger = caller(client, factories.make_user("eve", "owner", factories.make_project("elsewhere")))
    experiment = call("GET", "runs/get", run_id=run_id).json()["run"]["info"]["experiment_id"]
    assert stranger("GET", "runs/get", run_id=run_id).status_code == 404
    assert stranger("POST", "runs/log-metric", run_id=run_id, key="a", value=1).status_code == 404
    assert stranger("POST", "runs/create", experiment_id=experiment).status_code == 404
    assert stranger("POST", "runs/search", experiment_ids=[experiment]).json()["runs"] == []
    assert stranger("POST", "logged-models", experiment_id="0", name="m", source_run_id=run_id).status_code == 404
    viewer = caller(client, factories.make_user("bob", "viewer"))
    assert viewer("GET", "runs/get", run_id=run_id).status_code == 200
    assert viewer("POST", "runs/log-metric", run_id=run_id, key="a", value=1).status_code == 403


WRITES: list[tuple[str, dict[str, Any]]] = [
    ("runs/log-metric", {"key": "a", "value": 1, "timestamp": 1}),
    ("runs/log-parameter", {"key": "a", "value": "1"}),
    ("runs/log-batch", {"metrics": [{"key": "a", "value": 1, "timestamp": 1}]}),
    ("runs/set-tag", {"key": "a", "value": "1"}),
    ("runs/delete-tag", {"key": "mlflow.runName"}),
    ("runs/log-inputs", {"datasets": [{"dataset": {"name": "d", "digest": "1"}}]}),
    ("runs/outputs", {"models": [{"model_id": "m-1"}]}),
    ("runs/log-model", {"model_json": "{}"}),
    ("runs/update", {"status": "FINISHED"}),
    ("logged-models", {"name": "m", "source_run_id": "RUN"}),
]


@pytest.mark.parametrize(("path", "said"), WRITES, ids=[path for path, _said in WRITES])
@pytest.mark.parametrize("gone", ["run", "experiment"])
def test_deleted__nothing_is_written_until_it_is_restored(
    call: Call, run_id: str, gone: str, path: str, said: dict[str, Any]
) -> None:
    info = call("GET", "runs/get", run_id=run_id).json()["run"]["info"]
    said = {"run_id": run_id, "experiment_id": info["experiment_id"]} | said
    said |= {"source_run_id": run_id} if "source_run_id" in said else {}
    before = call("GET", "runs/get", run_id=run_id).json()["run"]["data"]
    which = {"run_id": run_id} if gone == "run" else {"experiment_id": info["experiment_id"]}
    call("POST", f"{gone}s/delete", **which)
    refused = call("POST", path, **said)
    assert (refused.status_code, refused.json()["error_code"]) == (400, "INVALID_PARAMETER_VALUE")
    assert refused.json()["message"].endswith("is deleted: restore it first.")
    assert call("GET", "runs/get", run_id=run_id).json()["run"]["data"] == before
    call("POST", f"{gone}s/restore", **which)
    assert call("POST", path, **said).status_code == 200


def test_run__renamed__its_tag_too(call: Call, run_id: str) -> None:
    assert call("POST", "runs/update", run_id=run_id, run_name="other").json()["run_info"]["run_name"] == "other"
    run = call("GET", "runs/get", run_id=run_id).json()["run"]
    assert (run["info"]["run_name"], run["data"]["tags"]) == ("other", [{"key": "mlflow.runName", "value": "other"}])


def test_metric_of_a_logged_model__said_in_another_project__does_not_show(
    call: Call, client: Client, run_id: str
) -> None:
    made = call("POST", "logged-models", experiment_id="0", name="m", source_run_id=run_id).json()["model"]["info"]
    stranger = caller(client, factories.make_user("eve", "data_scientist", factories.make_project("elsewhere")))
    theirs = stranger("POST", "runs/create", experiment_id="0").json()["run"]["info"]["run_id"]
    metric = {"key": "acc", "timestamp": 1, "model_id": made["model_id"]}
    assert stranger("POST", "runs/log-metric", run_id=theirs, value=0.1, step=9, **metric).status_code == 200
    call("POST", "runs/log-metric", run_id=run_id, value=0.9, **metric)
    shown = call("GET", f"logged-models/{made['model_id']}").json()["model"]["data"]["metrics"]
    assert [(item["key"], item["value"]) for item in shown] == [("acc", 0.9)]
    for text, n_found in (("metrics.acc < 0.5", 0), ("metrics.acc > 0.5", 1)):
        found = call("POST", "logged-models/search", experiment_ids=["0"], filter=text).json()["models"]
        assert len(found) == n_found


def test_data_set__logged_twice__shown_once(call: Call, run_id: str) -> None:
    dataset = {"name": "train", "digest": "12ab", "source_type": "local", "source": "{}", "schema": "x" * 9000}
    tags = [{"key": "mlflow.data.context", "value": "training"}]
    for _again in range(2):
        call("POST", "runs/log-inputs", run_id=run_id, datasets=[{"dataset": dataset, "tags": tags}])
    run = call("GET", "runs/get", run_id=run_id).json()["run"]
    kept = {part: text for part, text in dataset.items() if part != "schema"}
    assert run["inputs"]["dataset_inputs"] == [{"dataset": kept, "tags": tags}]
    assert {"key": "dataset.train", "value": "12ab"} in run["data"]["tags"]
    assert run["outputs"]["model_outputs"] == []
