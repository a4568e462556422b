"""A training script as anybody writes it for an MLflow server; where that is comes from MLFLOW_TRACKING_URI alone."""

import json
import sys
import tempfile
from pathlib import Path

import mlflow
import numpy as np
from mlflow import MlflowClient
from mlflow.exceptions import MlflowException
from mlflow.models import infer_signature
from onnx import TensorProto, helper, numpy_helper

name = sys.argv[1]


def trained(weights: np.ndarray):
    """y = x @ weights. The weights are large enough for MLflow to write them into a file of their own."""
    graph = helper.make_graph(
        [helper.make_node("MatMul", ["x", "W"], ["y"])],
        "linear",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["N", 64])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["N", 64])],
        [numpy_helper.from_array(weights, "W")],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)


rng = np.random.default_rng(0)
weights = rng.normal(size=(64, 64)).astype(np.float32)
rows = rng.normal(size=(3, 64)).astype(np.float32)
mlflow.set_experiment(f"experiment of {name}")
with mlflow.start_run(run_name="linear") as run:
    mlflow.log_params({"rate": 0.1, "layers": 1})
    for step, loss in enumerate((3.0, 2.0, 1.0)):
        mlflow.log_metric("loss", loss, step=step)
    mlflow.set_tag("team", "risk")
    mlflow.log_text("looks fine", "notes/report.txt")
    logged = mlflow.onnx.log_model(
        trained(weights),
        name="model",
        registered_model_name=name,
        signature=infer_signature(rows, rows @ weights),
        input_example=rows[:1],
        pip_requirements=["onnx", "onnxruntime"],
    )

client = MlflowClient()
number = logged.registered_model_version
client.set_registered_model_alias(name, "champion", number)
client.set_model_version_tag(name, number, "approved", "yes")
client.update_registered_model(name, "Made by a script.")
client.set_registered_model_tag(name, "domain", "test")
client.transition_model_version_stage(name, number, "Staging")
version = client.get_model_version_by_alias(name, "champion")
again = mlflow.register_model(f"runs:/{run.info.run_id}/model", name)
copied = client.copy_model_version(f"models:/{name}@champion", f"{name}-live")
client.set_registered_model_alias(f"{name}-live", "champion", copied.version)
latest = mlflow.register_model(f"models:/{name}/latest", f"{name}-spare")
with mlflow.start_run(run_id=run.info.run_id), mlflow.start_run(nested=True) as inner:
    mlflow.log_metric("loss", 9.0)
client.delete_run(inner.info.run_id)
try:
    client.log_metric(inner.info.run_id, "loss", 8.0)
except MlflowException as error:
    refused = error.error_code

found = mlflow.search_registered_models(filter_string=f"name LIKE '{name}%' AND tags.domain = 'test'")
approved = client.search_model_versions(f"name = '{name}' AND tags.approved = 'yes' AND run_id = '{run.info.run_id}'")
runs = mlflow.search_runs(experiment_names=[f"experiment of {name}"], filter_string="metrics.loss <= 1.0")
logged_models = mlflow.search_logged_models(experiment_ids=[run.info.experiment_id], output_format="list")
with tempfile.TemporaryDirectory() as folder:
    downloaded = sorted(
        p.name for p in Path(mlflow.artifacts.download_artifacts(f"models:/{name}/{number}", dst_path=folder)).iterdir()
    )
loaded = mlflow.onnx.load_model(f"models:/{name}@champion")
predicted = mlflow.pyfunc.load_model(f"models:/{name}/Staging").predict({"x": rows})
note = mlflow.artifacts.load_text(f"{run.info.artifact_uri}/notes/report.txt")

told = {
    "version": number,
    "status": version.status,
    "stage": client.get_model_version(name, number).current_stage,
    "aliases": sorted(version.aliases),
    "tags": version.tags,
    "run": version.run_id == run.info.run_id,
    "again": again.version,
    "copied": [copied.name, copied.version],
    "live": client.get_model_version_by_alias(f"{name}-live", "champion").version,
    "latest": [latest.name, latest.version, latest.status],
    "deleted_run": [client.get_run(inner.info.run_id).info.lifecycle_stage, refused],
    "found": [model.name for model in found],
    "approved": [item.version for item in approved],
    "runs": runs["metrics.loss"].tolist(),
    "history": [metric.value for metric in client.get_metric_history(run.info.run_id, "loss")],
    "logged_models": [(model.name, str(model.status)) for model in logged_models],
    "downloaded": downloaded,
    "loaded": loaded.graph.name,
    "largest_error": float(np.abs(predicted["y"] - rows @ weights).max()),
    "note": note,
}
print(json.dumps(told))
