"""What is asked: which model, how many rows, JSON or binary, how many connections. And whether the answer is right."""

from __future__ import annotations

import http.client
import json
from functools import cache
from typing import Any, NamedTuple

import numpy as np
import onnxruntime as ort
from drive import Figures, Request, drive, in_process
from models import MODELS, Model
from servers import Server
from table import n_cores

HEADER = "Inference-Header-Content-Length"


class Cell(NamedTuple):
    name: str
    model: Model
    connections: int
    n_rows: int = 1
    binary: bool = False

    def feed(self) -> dict[str, np.ndarray]:
        return {"x": self.model.rows(self.n_rows)}

    def request(self, server: Server, names: tuple[str, ...] = ()) -> Request:
        body, headers = body_of(self.model.name, self.n_rows, self.binary)
        paths = [f"/v2/models/{name}/infer" for name in names or (self.model.name,)]
        return Request(server.port, paths, {**headers, **server.headers}, body)

    def measure(self, server: Server, seconds: float) -> Figures:
        return drive(self.request(server), self.connections, seconds)

    def measure_raw(self, seconds: float) -> Figures:
        """`session.run` in this process, in as many threads as there can be runs at once."""
        return in_process(session_of(self.model.name), self.feed(), min(self.connections, n_cores()), seconds)

    def check(self, server: Server, slug: str = "") -> None:
        """Raises SystemExit unless the server gives what `session.run` gives."""
        request = self.request(server, (slug,) if slug else ())
        connection = http.client.HTTPConnection("127.0.0.1", request.port, timeout=60)
        connection.request("POST", request.paths[0], request.body, request.headers)
        response = connection.getresponse()
        content = response.read()
        connection.close()
        if response.status != 200:
            raise SystemExit(f"{server.name} answers {self.name} with {response.status}: {content[:300]!r}")
        (wanted,) = session_of(self.model.name).run(["y"], self.feed())
        got = _values(content, response.headers.get(HEADER))
        if got.shape != (wanted.size,) or not np.allclose(got, wanted.ravel(), rtol=1e-4, atol=1e-6):
            raise SystemExit(f"{server.name} answers {self.name} with other values than the model.")


def _values(content: bytes, size: str | None) -> np.ndarray:
    head = json.loads(content[: int(size)] if size else content)
    if size and "data" not in head["outputs"][0]:
        return np.frombuffer(content, np.float32, offset=int(size))
    return np.ravel(head["outputs"][0]["data"])


@cache
def session_of(name: str) -> ort.InferenceSession:
    return MODELS[name].session()


@cache
def body_of(name: str, n_rows: int, binary: bool) -> tuple[bytes, dict[str, str]]:
    rows = MODELS[name].rows(n_rows)
    tensor: dict[str, Any] = {"name": "x", "shape": list(rows.shape), "datatype": MODELS[name].datatype}
    if not binary:
        tensor["data"] = [round(value, 2) for value in rows.ravel().tolist()]
        return json.dumps({"inputs": [tensor]}).encode(), {"Content-Type": "application/json"}
    tensor["parameters"] = {"binary_data_size": rows.nbytes}
    head = json.dumps({"inputs": [tensor], "parameters": {"binary_data_output": True}}).encode()
    return head + rows.tobytes(), {"Content-Type": "application/octet-stream", HEADER: str(len(head))}


IRIS, CNN, ENCODER, MOBILENET, RESNET = MODELS.values()
CELLS = {
    cell.name: cell
    for cell in (
        *(Cell(f"iris c={n}", IRIS, n) for n in (1, 8, 32)),
        Cell("cnn c=32", CNN, 32),
        *(Cell(f"encoder c={n}", ENCODER, n) for n in (1, 8, 32)),
        Cell("mobilenet c=8", MOBILENET, 8),
        Cell("mobilenet binary c=8", MOBILENET, 8, binary=True),
        Cell("resnet18 binary c=8", RESNET, 8, binary=True),
        Cell("iris 512 rows c=8", IRIS, 8, n_rows=512),
    )
}
