"""Callers that do a server harm: ones whose model never ends, and ones that send a byte now and then."""

from __future__ import annotations

import contextlib
import http.client
import json
import socket
import threading
import time
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from drive import Request
from onnx import TensorProto, helper, numpy_helper

ENDLESS = 2**62
HANG_DEADLINE_SECONDS = 2.0
DRIP_SECONDS = 0.5


class Hung(NamedTuple):
    """One answer to a caller of the endless model, and how long it was waited for."""

    status: int
    seconds: float


def endless() -> bytes:
    """`y` is 1 after as many turns as `x` says: INT64 [1] to FP32 [1]."""
    value, scalar = helper.make_tensor_value_info, ()
    inside = [helper.make_node("Identity", ["go"], ["on"]), helper.make_node("Identity", ["sum"], ["next"])]
    takes = [value("turn", TensorProto.INT64, scalar), value("go", TensorProto.BOOL, scalar)]
    body = helper.make_graph(
        inside,
        "turn",
        [*takes, value("sum", TensorProto.FLOAT, [1])],
        [value("on", TensorProto.BOOL, scalar), value("next", TensorProto.FLOAT, [1])],
    )
    weights = [helper.make_tensor("one", TensorProto.FLOAT, [1], [1.0]), helper.make_tensor("true", 9, [], [True])]
    shape = numpy_helper.from_array(np.array([], np.int64), "no_shape")
    nodes = [
        helper.make_node("Reshape", ["x", "no_shape"], ["n"]),
        helper.make_node("Loop", ["n", "true", "one"], ["y"], body=body),
    ]
    graph = helper.make_graph(
        nodes, "endless", [value("x", TensorProto.INT64, [1])], [value("y", TensorProto.FLOAT, [1])], [*weights, shape]
    )
    return helper.make_model(graph, ir_version=10, opset_imports=[helper.make_opsetid("", 20)]).SerializeToString()


@contextlib.contextmanager
def hung_callers(n: int, port: int, slug: str, headers: dict[str, str]) -> Iterator[list[Hung]]:
    """Each asks the endless model again as soon as it is answered."""
    stop, answers = threading.Event(), list[Hung]()
    tensor = {"name": "x", "shape": [1], "datatype": "INT64", "data": [ENDLESS]}
    body = json.dumps({"inputs": [tensor], "parameters": {"timeout": int(1e6 * HANG_DEADLINE_SECONDS)}})

    def call() -> None:
        while not stop.is_set():
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
            begin = time.monotonic()
            connection.request("POST", f"/v2/models/{slug}/infer", body, headers)
            response = connection.getresponse()
            response.read()
            answers.append(Hung(response.status, time.monotonic() - begin))
            connection.close()
            # Who is refused at once comes again a little later, as Retry-After asks for.
            stop.wait(0.5 if response.status in (429, 503) else 0)

    threads = [threading.Thread(target=call) for _ in range(n)]
    for thread in threads:
        thread.start()
    time.sleep(0.5)
    try:
        yield answers
    finally:
        stop.set()
        for thread in threads:
            thread.join()


@contextlib.contextmanager
def slow_callers(n: int, request: Request) -> Iterator[list[int]]:
    """Half drip their headers and half their body, a byte each half second. Yields how often each was shut out."""
    stop, shut_out = threading.Event(), [0] * n
    lines = [f"POST {request.paths[0]} HTTP/1.1", *(f"{key}: {value}" for key, value in request.headers.items())]
    head = "\r\n".join([*lines, f"Content-Length: {len(request.body)}"]).encode() + b"\r\n\r\n"

    def drip() -> None:
        sockets = [_open(request.port, head if index % 2 else b"") for index in range(n)]
        rests = [request.body if index % 2 else head for index in range(n)]
        while not stop.wait(DRIP_SECONDS):
            for index, sock in enumerate(sockets):
                try:
                    sock.send(rests[index][:1])
                    rests[index] = rests[index][1:] or b" "
                except OSError:
                    shut_out[index] += 1
                    sockets[index] = _open(request.port, head if index % 2 else b"")
        for sock in sockets:
            sock.close()

    thread = threading.Thread(target=drip)
    thread.start()
    time.sleep(1)
    try:
        yield shut_out
    finally:
        stop.set()
        thread.join()


def _open(port: int, first: bytes) -> socket.socket:
    sock = socket.create_connection(("127.0.0.1", port), timeout=5)
    sock.sendall(first)
    sock.setblocking(False)
    return sock
