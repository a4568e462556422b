"""What `model-versions/create` takes as a source, and what it refuses."""

from __future__ import annotations

import pytest
from django.test import Client

from registry.models import AuditEvent, LoggedModel, ModelVersion
from tests import factories, graphs
from tests.registry.mlflow.conftest import FILES, Call, caller


def log_model(call: Call, run_id: str, **files: bytes) -> str:
    """A logged model with the given files; its id."""
    made = call("POST", "logged-models", experiment_id="0", name="model", source_run_id=run_id).json()["model"]["info"]
    for name, data in files.items():
        path = f"{FILES}/{made['artifact_uri'].removeprefix('mlflow-artifacts:/')}/{name}"
        assert call("PUT", path, data).json() == {}
    return str(made["model_id"])


def create(call: Call, source: str, name: str = "iris", **more: str) -> object:
    return call("POST", "model-versions/create", name=name, source=source, **more)


def test_source__logged_model__pending_version_with_its_lineage_and_metrics(call: Call, run_id: str) -> None:
    factories.make_model("iris")
    call("POST", "runs/log-batch", run_id=run_id, metrics=[{"key": "acc", "value": v, "timestamp": 1, "step": s} for s, v in enumerate((0.5, 0.9))])  # fmt: skip  # noqa: E501
    model_id = log_model(call, run_id, **{"model.onnx": graphs.add_constant(3.0), "MLmodel": b"x"})
    answer = create(call, f"models:/{model_id}", model_id=model_id, tags=[{"key": "a", "value": "b"}])
    body = answer.json()["model_version"]
    assert (body["version"], body["status"], body["run_id"], body["model_id"]) == (
        "1", "PENDING_REGISTRATION", run_id, model_id,
    )  # fmt: skip
    assert (body["source"], body["tags"]) == (f"models:/{model_id}", [{"key": "a", "value": "b"}])
    version = ModelVersion.objects.get()
    assert (version.metrics, version.files, version.file_name) == ({"acc": 0.9}, [], "model.onnx")
    assert version.lineage["run"] == {"id": run_id, "name": "first", "experiment": "Default"}
    assert AuditEvent.objects.filter(action="version.uploaded").count() == 1


def test_source__run_path_and_place__the_same_bytes_the_same_version(call: Call, run_id: str) -> None:
    factories.make_model("iris")
    run = call("GET", "runs/get", run_id=run_id).json()["run"]["info"]
    place = run["artifact_uri"].removeprefix("mlflow-artifacts:/")
    call("PUT", f"{FILES}/{place}/m/model.onnx", graphs.add_constant(5.0))
    first = create(call, f"runs:/{run_id}/m").json()["model_version"]
    again = create(call, f"mlflow-artifacts:/{place}/m").json()["model_version"]
    hosted = create(call, f"mlflow-artifacts://testserver/{place}/m/model.onnx").json()["model_version"]
    assert [first["version"], again["version"], hosted["version"]] == ["1", "1", "1"]


def test_source__weights_beside_the_graph__a_bundle_without_mlflows_own_files(call: Call, run_id: str) -> None:
    factories.make_model("iris")
    files = {"model.onnx": graphs.add_constant(1.0), "weights.data": b"1234", "MLmodel": b"x", "conda.yaml": b"y",
             "metadata/MLmodel": b"z"}  # fmt: skip
    create(call, f"models:/{log_model(call, run_id, **files)}")
    version = ModelVersion.objects.get()
    assert [(file["name"], file["size"]) for file in version.files] == [
        ("model.onnx", len(files["model.onnx"])), ("weights.data", 4),
    ]  # fmt: skip
    assert version.size == len(files["model.onnx"]) + 4


def test_source__another_version__copied_to_another_model(call: Call) -> None:
    factories.make_version(factories.make_model("iris"), 9.0)
    factories.make_model("live")
    assert create(call, "models:/iris/1", "live").json()["model_version"]["version"] == "1"
    assert len(set(ModelVersion.objects.values_list("sha256", flat=True))) == 1


def test_source__latest_or_a_stage__the_version_that_it_names(call: Call) -> None:
    model = factories.make_model("iris")
    made = [factories.make_version(model, added) for added in (1.0, 2.0)]
    factories.make_version(model, 3.0, "rejected")
    call("POST", "model-versions/transition-stage", name="iris", version="1", stage="Production")
    for source, wanted in (("models:/iris/latest", made[1]), ("models:/iris/production", made[0])):
        name = source.rpartition("/")[2]
        factories.make_model(name)
        assert create(call, source, name).status_code == 200  # type: ignore[attr-defined]
        assert ModelVersion.objects.get(model__name=name).sha256 == wanted.sha256
    for source in ("models:/iris/Staging", "models:/iris/newest", "models:/latest/latest"):
        assert create(call, source).status_code == 400  # type: ignore[attr-defined]


def test_source__run_of_another_project__its_id_is_noted_and_nothing_of_it_taken(call: Call, client: Client) -> None:
    both = factories.make_user("ben", "data_scientist")
    both.memberships.create(project=factories.make_project("elsewhere"), role="data_scientist")
    stranger = caller(client, factories.make_user("eve", "data_scientist", factories.make_project("elsewhere")))
    theirs = stranger("POST", "runs/create", experiment_id="0", run_name="secret").json()["run"]["info"]["run_id"]
    stranger("POST", "runs/log-metric", run_id=theirs, key="acc", value=0.9, timestamp=1)
    factories.make_version(factories.make_model("iris"), 9.0)
    factories.make_model("live")
    assert create(caller(client, both), "models:/iris/1", "live", run_id=theirs).status_code == 200  # type: ignore[attr-defined]
    version = ModelVersion.objects.get(model__name="live")
    assert (version.metrics, version.lineage["run"]) == ({}, {"id": theirs})


@pytest.mark.parametrize(
    "source",
    ["/etc/passwd", "file:///etc/passwd", "file:/etc", "http://127.0.0.1/model.onnx", "https://example.org/m", "s3://b/k",
     "gs://b/k", "dbfs:/x", "mlflow-artifacts://elsewhere/1/x", "mlflow-artifacts:/../../etc/passwd", "../x", "C:\\x",
     "mlflow-artifacts:/1/%2e%2e/secret", "mlflow-artifacts:/a/../b", "runs:/../x", "models:/m-no", "models:/",
     "runs:/", "mlflow-artifacts:/", "models:/no/1", "models:/iris@no", "runs:/x?y=1", "mlflow-artifacts:/a#b",
     "mlflow-artifacts:/registry", "mlflow-artifacts:/registry/no/1", "models://host/iris/1", "mlflow-artifacts://[",
     "mlflow-artifacts:/a\\..\\b", "runs:/" + "x" * 2000],
)  # fmt: skip
def test_source__outside__refused_in_a_sentence_and_nothing_registered(call: Call, source: str) -> None:
    factories.make_model("iris")
    answer = create(call, source)
    assert (answer.status_code, answer.json()["error_code"]) == (400, "INVALID_PARAMETER_VALUE")
    assert answer.json()["message"].endswith(".")
    assert not ModelVersion.objects.exists()


def test_source__of_a_stranger__as_one_that_is_not_there(call: Call, client: Client) -> None:
    stranger = caller(client, factories.make_user("eve", "data_scientist", factories.make_project("elsewhere")))
    run = stranger("POST", "runs/create", experiment_id="0").json()["run"]["info"]
    model_id = log_model(stranger, run["run_id"], **{"model.onnx": graphs.add_constant(1.0)})
    factories.make_model("iris")
    path = LoggedModel.objects.get().experiment_id
    for theirs, missing in (
        (f"models:/{model_id}", "models:/m-no"),
        (f"runs:/{run['run_id']}/model", "runs:/no/model"),
        (f"mlflow-artifacts:/{path}/models/{model_id}/artifacts", "mlflow-artifacts:/99999999/models/x/artifacts"),
    ):
        answers = [create(call, source) for source in (theirs, missing)]
        said = [answer.json()["message"].replace(source, "…") for answer, source in zip(answers, (theirs, missing), strict=True)]  # fmt: skip  # noqa: E501
        assert said[0] == said[1]
        assert [answer.status_code for answer in answers] == [400, 400]


def test_source__own_files_but_another_projects_model__refused(call: Call, client: Client, run_id: str) -> None:
    both = factories.make_user("ben", "data_scientist")
    elsewhere = factories.make_project("elsewhere")
    both.memberships.create(project=elsewhere, role="data_scientist")
    factories.make_model("theirs", elsewhere)
    model_id = log_model(call, run_id, **{"model.onnx": graphs.add_constant(1.0)})
    assert create(caller(client, both), f"models:/{model_id}", "theirs").status_code == 400


def test_source__no_onnx_or_several__says_what_to_do(call: Call, run_id: str) -> None:
    factories.make_model("iris")
    nothing = create(call, f"models:/{log_model(call, run_id, **{'model.pkl': b'x'})}")
    assert "mlflow.onnx.log_model" in nothing.json()["message"]
    several = create(call, f"models:/{log_model(call, run_id, **{'a.onnx': b'x', 'b.onnx': b'y'})}")
    assert "a.onnx, b.onnx" in several.json()["message"]
