"""Signatures, feeds and waiting, as the tests of isolated sessions need them."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from inference.runtime.isolated.session import IsolatedSession
from registry.artifacts.signature import Signature, TensorSpec

LIMIT = 1 << 30
SHA256 = "ab" * 32
SMALLEST = -(2**63)
Tensor = tuple[str, str, tuple[int, ...]]
Make = Callable[..., IsolatedSession]


def signature(inputs: list[Tensor], outputs: list[Tensor]) -> Signature:
    return Signature(tuple(TensorSpec(*each) for each in inputs), tuple(TensorSpec(*each) for each in outputs))


PLUS = signature([("x", "FP32", (-1, 4))], [("y", "FP32", (-1, 4))])
DIVISION = signature([("a", "INT64", (-1,)), ("b", "INT64", (-1,))], [("quotient", "INT64", (-1,))])
LOOP = signature([("x", "FP32", (-1,))], [("y", "FP32", (-1,))])
CLASSIFIER = signature([("X", "FP32", (-1, 4))], [("probabilities", "FP32", (-1, 3)), ("label", "INT64", (-1,))])


def one_to_one(datatype: str, shape: tuple[int, ...]) -> Signature:
    return signature([("x", datatype, shape)], [("y", datatype, shape)])


def rows(count: int = 1, value: float = 1.0) -> dict[str, np.ndarray]:
    return {"x": np.full((count, 4), value, np.float32)}


def quotient_of(a: int, b: int) -> dict[str, np.ndarray]:
    return {"a": np.array([a]), "b": np.array([b])}


def soon(seconds: float = 20.0) -> float:
    return time.monotonic() + seconds


def eventually(condition: Callable[[], object], seconds: float = 20.0) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not come about"
        time.sleep(0.005)


def is_running(pid: int) -> bool:
    """Not gone, and not merely unburied."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def open_descriptors() -> int:
    return len(os.listdir("/proc/self/fd"))
