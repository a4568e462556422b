"""V2 by tritonclient in each of its modes, with nothing changed but the address and the token."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import ml_dtypes
import numpy as np
import pytest
from onnx import TensorProto
from tritonclient import http as triton
from tritonclient.utils import InferenceServerException, np_to_triton_dtype

from tests import graphs
from tests.flows.portal import Client, Portal

ROWS = np.arange(8, dtype=np.float32).reshape(2, 4)
DATATYPES: dict[int, np.ndarray] = {
    TensorProto.BOOL: np.array([[True, False, False, True]]),
    TensorProto.UINT8: np.array([[0, 1, 2, 255]], np.uint8),
    TensorProto.INT16: np.array([[-(2**15), -1, 0, 2**15 - 1]], np.int16),
    TensorProto.INT64: np.array([[-(2**63), -1, 0, 2**63 - 1]], np.int64),
    TensorProto.UINT64: np.array([[0, 1, 2, 2**64 - 1]], np.uint64),
    TensorProto.FLOAT16: np.array([[0.1, -2.5, 65504, 6e-8]], np.float16),
    TensorProto.BFLOAT16: np.array([[0.1, -2.5, 3e38, 1e-38]], ml_dtypes.bfloat16),
    TensorProto.DOUBLE: np.array([[0.1, -2.5, 1e308, np.inf]]),
    TensorProto.STRING: np.array([["", "a:b", "é", "\n"]], object),
}


class Caller:
    """tritonclient with the token in each call's headers; `sent` and `asked` make its arguments short."""

    def __init__(self, portal: Portal, token: str | None) -> None:
        self.triton = triton.InferenceServerClient(portal.url.removeprefix("http://"), concurrency=8)
        self.triton.register_plugin(lambda request: request.headers.update(Authorization=f"Bearer {token}"))

    def infer(self, slug: str, array: np.ndarray, **options: Any) -> triton.InferResult:
        return self.triton.infer(slug, [sent(array, options.pop("binary", True))], **options)


def sent(array: np.ndarray, binary: bool = True, name: str = "x") -> triton.InferInput:
    tensor = triton.InferInput(name, list(array.shape), np_to_triton_dtype(array.dtype))
    return tensor.set_data_from_numpy(array, binary_data=binary)


def asked(name: str = "y", **options: Any) -> list[triton.InferRequestedOutput]:
    return [triton.InferRequestedOutput(name, **options)]


@pytest.fixture(scope="module")
def slug(alice: Client) -> str:
    return alice.serve("clients", graphs.add_constant(10.0), graphs.add_constant(20.0))


@pytest.fixture(scope="module")
def caller(portal: Portal, alice: Client) -> Iterator[Caller]:
    made = Caller(portal, alice.token)
    yield made
    made.triton.close()


@pytest.mark.parametrize("answer_in_binary", [True, False])
@pytest.mark.parametrize("binary", [True, False])
def test_infer__each_form_of_tensor__same_answer(
    caller: Caller, slug: str, binary: bool, answer_in_binary: bool
) -> None:
    outputs = asked(binary_data=answer_in_binary)
    result = caller.infer(slug, ROWS, binary=binary, outputs=outputs, request_id="r-1")
    np.testing.assert_array_equal(result.as_numpy("y"), ROWS + 10)
    assert ("data" in result.get_output("y")) is not answer_in_binary
    assert result.get_response()["id"] == "r-1"
    assert result.get_response()["model_version"] == "1"


def test_infer__no_output_named__all_come_in_binary(caller: Caller, slug: str) -> None:
    result = caller.infer(slug, ROWS)
    np.testing.assert_array_equal(result.as_numpy("y"), ROWS + 10)
    assert result.get_output("y")["parameters"] == {"binary_data_size": 32}


@pytest.mark.parametrize("binary", [True, False])
@pytest.mark.parametrize("answer", [None, "gzip", "deflate"])
@pytest.mark.parametrize("question", [None, "gzip", "deflate"])
def test_infer__compressed__same_answer(
    caller: Caller, slug: str, question: str | None, answer: str | None, binary: bool
) -> None:
    rows = np.arange(4000, dtype=np.float32).reshape(1000, 4)
    how = {"request_compression_algorithm": question, "response_compression_algorithm": answer}
    result = caller.infer(slug, rows, binary=binary, outputs=asked(binary_data=binary), **how)
    np.testing.assert_array_equal(result.as_numpy("y"), rows + 10)


def test_async_infer__eight_at_once__each_gets_its_own_answer(caller: Caller, slug: str) -> None:
    pending = [caller.triton.async_infer(slug, [sent(ROWS * number)]) for number in range(8)]
    for number, request in enumerate(pending):
        np.testing.assert_array_equal(request.get_result().as_numpy("y"), ROWS * number + 10)


@pytest.mark.parametrize("version", ["2", "challenger"])
def test_infer__version_named__that_one_answers(caller: Caller, alice: Client, slug: str, version: str) -> None:
    assert alice.put(f"/api/v1/models/{slug}/aliases/challenger", {"version": 2}).status in (200, 201)
    result = caller.infer(slug, ROWS, model_version=version)
    np.testing.assert_array_equal(result.as_numpy("y"), ROWS + 20)
    assert result.get_response()["model_version"] == "2"


@pytest.mark.parametrize("element", DATATYPES, ids=TensorProto.DataType.Name)
def test_infer__each_datatype_in_binary__same_bits_back(caller: Caller, alice: Client, element: int) -> None:
    name = f"clients-type-{element}"
    alice.serve(name, graphs.identity(element))
    result = caller.infer(name, DATATYPES[element]).as_numpy("y")
    if element == TensorProto.STRING:
        assert [text.decode() for text in result.ravel()] == DATATYPES[element].ravel().tolist()
    else:
        assert result.dtype == DATATYPES[element].dtype
        assert result.tobytes() == DATATYPES[element].tobytes()


@pytest.mark.parametrize("binary", [True, False])
def test_infer__classification__best_first(caller: Caller, slug: str, binary: bool) -> None:
    rows = np.array([[1, 4, 2, 3], [9, 7, 8, 6]], np.float32)
    result = caller.infer(slug, rows, outputs=asked(class_count=2, binary_data=binary)).as_numpy("y")
    found = [(float(value), int(index)) for value, index in (str_of(item).split(":") for item in result.ravel())]
    assert result.shape == (2, 2)
    assert found == [(14.0, 1), (13.0, 3), (19.0, 0), (18.0, 2)]


def str_of(text: bytes | str) -> str:
    return text.decode() if isinstance(text, bytes) else text


def test_infer__timeout_and_priority__accepted(caller: Caller, slug: str) -> None:
    result = caller.infer(slug, ROWS, priority=1, timeout=5_000_000, parameters={"team": "blue"})
    np.testing.assert_array_equal(result.as_numpy("y"), ROWS + 10)


def test_infer__wrong_shape__says_what_is_wrong(caller: Caller, slug: str) -> None:
    with pytest.raises(InferenceServerException, match="x") as caught:
        caller.infer(slug, np.zeros((1, 3), np.float32))
    assert caught.value.status() == "400"


def test_raw_body__one_input__binary_answer(alice: Client, slug: str) -> None:
    headers = {"Inference-Header-Content-Length": "0", "Content-Type": "application/octet-stream"}
    answer = alice.call("POST", f"/v2/models/{slug}/infer", ROWS.tobytes(), headers)
    assert answer.status == 200, answer
    size = int(answer.headers["Inference-Header-Content-Length"])
    result = triton.InferResult.from_response_body(answer.body, header_length=size)
    np.testing.assert_array_equal(result.as_numpy("y"), ROWS + 10)
