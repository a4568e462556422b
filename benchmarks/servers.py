"""Servers that answer `POST /v2/models/NAME/infer` for the same models: this portal, and other servers beside it."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import subprocess
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Self

import psutil
from enter import ROOT
from harness import Client, Portal, free_port
from models import Model

PEERS = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "slipway-benchmarks"
READY_SECONDS = 120.0


class Server:
    """`with` starts and stops it; `headers` go with every request."""

    name = ""
    speaks_binary = True
    port = 0
    headers: dict[str, str]

    def __enter__(self) -> Self:
        raise NotImplementedError

    def __exit__(self, *_error: Any) -> None:
        raise NotImplementedError

    def processes(self) -> list[psutil.Process]:
        raise NotImplementedError

    def memory_bytes(self) -> int:
        """PSS of all processes that take part in predictions: what is shared counts once."""
        total = 0
        for process in self.processes():
            with contextlib.suppress(psutil.Error):
                total += process.memory_full_info().pss
        return total


class Slipway(Server):
    """This portal, with an endpoint for each model, one version of which has all traffic."""

    name = "Slipway"

    def __init__(self, models: Iterable[Model], processes: int = 2) -> None:
        self.models = list(models)
        self.portal = Portal(processes=processes, demo=False)

    def __enter__(self) -> Self:
        self.portal.__enter__()
        self.port, self.headers = self.portal.port, {"Authorization": f"Bearer {self.portal.token}"}
        for model in self.models:
            serve(self.portal.client(), model.name, model.content())
        return self

    def __exit__(self, *_error: Any) -> None:
        self.portal.remove()

    def processes(self) -> list[psutil.Process]:
        web = self.portal.web_processes()
        return list(
            {process.pid: process for root in web for process in (root, *root.children(recursive=True))}.values()
        )


def serve(client: Client, name: str, content: bytes) -> None:
    """Uploads, waits for the verdict, and promotes."""
    client.call("POST", "/api/v1/models", {"name": name})
    path = f"/api/v1/models/{name}/versions"
    client.send_file(path, {}, iter([content]), len(content), f"{name}.onnx")
    while (version := client.call("GET", f"{path}/1").json())["status"] in ("receiving", "validating"):
        time.sleep(0.05)
    if version["status"] != "ready":
        raise SystemExit(f"{name} was not taken: {version['report']['message']}")
    client.call("POST", "/api/v1/endpoints", {"slug": name, "model": name})
    client.call("POST", f"/api/v1/endpoints/{name}/promote", {"version": 1, "reason": "benchmark"})


class Peer(Server):
    """A server out of a virtual environment below `home`; `packages` is what pip installs there."""

    folder = ""
    packages: tuple[str, ...] = ()

    def __init__(self, models: Iterable[Model], processes: int, home: Path = PEERS) -> None:
        self.models, self.n_processes, self.venv = list(models), processes, home / self.folder
        self.headers = {}
        self.process: subprocess.Popen[bytes] | None = None

    def is_installed(self) -> bool:
        return (self.venv / "bin" / "python").exists()

    def install(self) -> None:
        subprocess.run(["python3", "-m", "venv", str(self.venv)], check=True)
        subprocess.run([str(self.venv / "bin" / "pip"), "install", "--quiet", *self.packages], check=True)

    def command(self) -> list[str]:
        raise NotImplementedError

    def prepare(self) -> None:
        for model in self.models:
            (self.work / f"{model.name}.onnx").write_bytes(model.content())

    def environment(self) -> dict[str, str]:
        return {"PEER_MODELS": str(self.work), "PYTHONPATH": str(ROOT / "benchmarks" / "peers")}

    def __enter__(self) -> Self:
        self.port, self.work = free_port(), Path(tempfile.mkdtemp(prefix="slipway-peer-"))
        self.prepare()
        kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
        with open(self.work / "log", "wb") as log:
            self.process = subprocess.Popen(
                self.command(), cwd=self.work, env={**kept, **self.environment()}, stdout=log, stderr=log
            )
        self._wait()
        return self

    def _wait(self) -> None:
        end = time.monotonic() + READY_SECONDS
        while not self._answers():
            if self.process is None or self.process.poll() is not None or time.monotonic() > end:
                log = (self.work / "log").read_text()[-2000:]
                self.__exit__()
                raise SystemExit(f"{self.name} did not start:\n{log}")
            time.sleep(0.1)

    def _answers(self) -> bool:
        """Whatever it answers, it is there; the answers themselves are checked before anything is measured."""
        try:
            urllib.request.urlopen(f"http://127.0.0.1:{self.port}/v2", timeout=2).close()
        except urllib.error.HTTPError:
            return True
        except OSError:
            return False
        return True

    def __exit__(self, *_error: Any) -> None:
        family = self.processes()
        for process in family:
            with contextlib.suppress(psutil.Error):
                process.terminate()
        for process in psutil.wait_procs(family, timeout=10)[1]:
            process.kill()
        shutil.rmtree(self.work, ignore_errors=True)

    def processes(self) -> list[psutil.Process]:
        if self.process is None or self.process.poll() is not None:
            return []
        root = psutil.Process(self.process.pid)
        return [root, *root.children(recursive=True)]


class FastApi(Peer):
    name = "FastAPI at its best"
    folder = "fastapi"
    packages = ("fastapi", "uvicorn", "uvloop", "httptools", "orjson", "numpy", "onnxruntime==1.31.1")

    def command(self) -> list[str]:
        uvicorn = [str(self.venv / "bin" / "python"), "-m", "uvicorn", "fastapi_app:app", "--port", str(self.port)]
        how = ["--loop", "uvloop", "--http", "httptools", "--no-access-log", "--log-level", "warning"]
        return [*uvicorn, *how, "--workers", str(self.n_processes)]


class MLServer(Peer):
    """Without workers of its own, which is where it is fastest. It knows no binary tensors over REST."""

    name = "MLServer"
    folder = "mlserver"
    packages = ("mlserver", "onnxruntime==1.31.1")
    speaks_binary = False

    def command(self) -> list[str]:
        return [str(self.venv / "bin" / "mlserver"), "start", str(self.work)]

    def prepare(self) -> None:
        super().prepare()
        ports = {"http_port": self.port, "grpc_port": free_port(), "metrics_port": free_port()}
        settings = {**ports, "host": "127.0.0.1", "parallel_workers": 0, "debug": False, "logging_settings": None}
        (self.work / "settings.json").write_text(json.dumps(settings))
        for model in self.models:
            uri = str(self.work / f"{model.name}.onnx")
            own = {"name": model.name, "implementation": "mlserver_runtime.OnnxModel", "parameters": {"uri": uri}}
            (self.work / model.name).mkdir()
            (self.work / model.name / "model-settings.json").write_text(json.dumps(own))


PEER_KINDS: tuple[type[Peer], ...] = (FastApi, MLServer)
