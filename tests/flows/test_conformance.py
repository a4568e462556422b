"""The onnx package's own node tests through upload and V2, beside `session.run` of the same bytes in this process.

Each case is a version of one model. By default every fourth one is taken; `CONFORMANCE_EVERY=1` in the environment
takes all 1 884, and `CONFORMANCE_LIST=FILE` writes down what became of each.
"""

from __future__ import annotations

import os
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest

from tests.flows import v2_wire
from tests.flows.onnx_cases import REFUSALS, Case, Kind, node_cases, same
from tests.flows.portal import Answer, Client, Portal

EVERY = int(os.environ.get("CONFORMANCE_EVERY", "4"))
# Tensors travel in binary; False sends and asks for JSON, which carries neither BF16 nor what is not finite.
BINARY = True
MODEL = "conformance"
N_THREADS = 8


class Seen(NamedTuple):
    """What the portal made of a case: the code that it refused the file with, or its answer."""

    case: Case
    refused: str
    answer: Answer | None = None


@pytest.fixture(scope="module")
def seen(portal: Portal, alice: Client) -> list[Seen]:
    assert alice.post("/api/v1/models", {"name": MODEL}).status == 201
    assert alice.post("/api/v1/endpoints", {"slug": MODEL, "model": MODEL}).status == 201
    cases = [case for case in node_cases(EVERY) if BINARY or _fits_json(case)]
    with ThreadPoolExecutor(N_THREADS) as pool:
        numbers = list(pool.map(lambda case: _upload(alice, case), cases))
        verdicts = _verdicts(portal, alice, len(cases))
        return list(pool.map(lambda case, number: _ask(alice, case, verdicts[number]), cases, numbers))


def _verdicts(portal: Portal, client: Client, n: int) -> dict[int, dict[str, Any]]:
    """Each version by its number, once all are decided."""
    path = f"/api/v1/models/{MODEL}/versions?page_size=100"
    portal.wait_until(lambda: client.get(f"{path}&status=validating").body["count"] == 0, 120, "verdicts")
    pages = [client.get(f"{path}&page={number}").body["results"] for number in range(1, -(-n // 100) + 1)]
    return {version["number"]: version for page in pages for version in page}


def _fits_json(case: Case) -> bool:
    tensors = (*case.inputs.values(), *case.outputs)
    return all(array.dtype.kind != "V" and (array.dtype.kind != "f" or np.isfinite(array).all()) for array in tensors)


def _upload(client: Client, case: Case) -> int:
    answer = client.upload(MODEL, case.model, f"{case.name}.onnx")
    assert answer.status == 202, (case.name, answer)
    return int(answer.body["number"])


def _ask(client: Client, case: Case, version: dict[str, Any]) -> Seen:
    if version["status"] == "rejected":
        return Seen(case, version["report"]["code"])
    outputs = [tensor["name"] for tensor in version["signature"]["outputs"]]
    body, headers = v2_wire.request(case.inputs, outputs, binary=BINARY)
    return Seen(case, "", client.call("POST", f"/v2/models/{MODEL}/versions/{version['number']}/infer", body, headers))


def _problem(seen: Seen) -> str:
    """Empty where the portal did what it has to do with this kind of case."""
    kind, answer = seen.case.kind, seen.answer
    if answer is None:
        return "" if seen.refused in REFUSALS.get(kind, ()) else f"refused with {seen.refused}"
    if kind is Kind.CANNOT_RUN:
        return "" if (answer.status, answer.v2_error["code"]) == (422, "model_refused") else f"answered {answer.status}"
    if kind is not Kind.SERVED or answer.status != 200:
        return f"answered {answer.status} {str(answer.body)[:300]}"
    return _difference(seen.case, v2_wire.arrays(answer))


def _difference(case: Case, got: list[np.ndarray]) -> str:
    if len(got) != len(case.outputs):
        return f"{len(got)} outputs"
    wrong = [index for index, pair in enumerate(zip(got, case.outputs, strict=True)) if not same(*map(_plain, pair))]
    return f"outputs {wrong} differ" if wrong else ""


def _plain(array: np.ndarray) -> np.ndarray:
    """Texts as bytes, which is what they are on the wire."""
    if array.dtype.kind not in "OSU":
        return array
    texts = [item if isinstance(item, bytes) else str(item).encode() for item in array.ravel().tolist()]
    return np.array([*texts, None], object)[:-1].reshape(array.shape)


def test_node_cases__upload_and_predict__each_as_the_runtime_itself(seen: list[Seen]) -> None:
    problems = {item.case.name: (item.case.kind.name, problem) for item in seen if (problem := _problem(item))}
    assert problems == {}


def test_node_cases__summary__most_are_served(seen: list[Seen], capsys: pytest.CaptureFixture[str]) -> None:
    reasons = {item.case.name: f"{item.case.kind.value} {item.refused}".strip() for item in seen}
    with capsys.disabled():
        print(f"\n{len(seen)} node cases of the onnx package:")
        for reason, count in Counter(reasons.values()).most_common():
            print(f"{count:6} {reason}")
    if path := os.environ.get("CONFORMANCE_LIST"):
        Path(path).write_text("".join(f"{name}: {reason}\n" for name, reason in sorted(reasons.items())))
    assert sum(item.case.kind is Kind.SERVED for item in seen) > 0.65 * len(seen)
