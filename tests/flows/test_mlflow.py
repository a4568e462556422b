"""The MLflow client, unchanged: training scripts that know nothing of this portal but its address and a token."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

from tests import graphs
from tests.flows.portal import FOREIGN, Client, Portal

SCRIPTS = Path(__file__).parent / "scripts"
LOAD = """
import sys, mlflow, numpy as np
model = mlflow.pyfunc.load_model(f"models:/{sys.argv[1]}/latest")
print(model.predict({"x": np.zeros((1, 4), np.float32)})["y"].tolist())
"""


def run(portal: Portal, folder: Path, *command: str, **credentials: str) -> subprocess.CompletedProcess[str]:
    """In an empty folder, with nothing of ours in its environment but the address."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith((*FOREIGN, "MLFLOW_"))}
    environment = {**kept, "MLFLOW_TRACKING_URI": portal.url, "MLFLOW_DISABLE_TELEMETRY": "true", **credentials}
    return subprocess.run(
        [sys.executable, *command], cwd=folder, env=environment, capture_output=True, text=True, timeout=240
    )


def test_training_script__real_client__logs_registers_finds_downloads_and_predicts(
    portal: Portal, alice: Client, name: str, tmp_path: Path
) -> None:
    done = run(portal, tmp_path, str(SCRIPTS / "train.py"), name, MLFLOW_TRACKING_TOKEN=str(alice.token))
    assert done.returncode == 0, done.stderr[-4000:]
    told = json.loads(done.stdout.splitlines()[-1])
    data_file = next(file for file in told["downloaded"] if file not in ("MLmodel", "model.onnx", "requirements.txt", "registered_model_meta"))  # fmt: skip  # noqa: E501
    assert told.pop("downloaded") == sorted(["MLmodel", data_file, "model.onnx", "registered_model_meta", "requirements.txt"])  # fmt: skip  # noqa: E501
    assert told.pop("largest_error") < 1e-4
    assert told == {
        "version": "1",
        "status": "READY",
        "stage": "Staging",
        "aliases": ["Staging", "champion"],
        "tags": {"approved": "yes"},
        "run": True,
        "again": "1",
        "copied": [f"{name}-live", "1"],
        "live": "1",
        "latest": [f"{name}-spare", "1", "READY"],
        "deleted_run": ["deleted", "INVALID_PARAMETER_VALUE"],
        "found": [name],
        "approved": ["1"],
        "runs": [1.0],
        "history": [3.0, 2.0, 1.0],
        "logged_models": [["model", "READY"]],
        "loaded": "linear",
        "note": "looks fine",
    }
    version = alice.version(name, 1)
    assert (version["status"], version["metrics"]) == ("ready", {"loss": 1.0})
    assert [file["name"] for file in version["files"]] == ["model.onnx", data_file]
    assert alice.get(f"/api/v1/models/{name}").body["description"] == "Made by a script."


def test_broken_model__real_client__the_reports_sentence_is_in_the_users_exception(
    portal: Portal, alice: Client, name: str, tmp_path: Path
) -> None:
    credentials = {"MLFLOW_TRACKING_USERNAME": "alice", "MLFLOW_TRACKING_PASSWORD": str(alice.token)}
    done = run(portal, tmp_path, str(SCRIPTS / "train_broken.py"), name, **credentials)
    assert done.returncode == 1
    report = alice.version(name, 1)["report"]
    assert report["code"] == "unknown_operator"
    assert "mlflow.exceptions.MlflowException: Model version creation failed" in done.stderr
    assert report["message"] in done.stderr


def test_uploaded_elsewhere__real_client__loads_it_by_latest(
    portal: Portal, alice: Client, name: str, tmp_path: Path
) -> None:
    alice.register(name, graphs.add_constant(10.0), graphs.add_constant(20.0))
    done = run(portal, tmp_path, "-c", LOAD, name, MLFLOW_TRACKING_TOKEN=str(alice.token))
    assert done.stdout.strip() == "[[20.0, 20.0, 20.0, 20.0]]", done.stderr[-3000:]


def test_no_token__real_client__says_so_at_once(portal: Portal, name: str, tmp_path: Path) -> None:
    done = run(portal, tmp_path, "-c", LOAD, name)
    assert "UNAUTHENTICATED" in done.stderr
