"""Bodies by a client that nobody here wrote, and our answers read by it. No server: see tests/flows for that."""

from __future__ import annotations

import numpy as np
import pytest

httpclient = pytest.importorskip("tritonclient.http")

from inference.protocol.v2 import decode_infer, encode_infer  # noqa: E402
from inference.runtime.tensors import DTYPES  # noqa: E402
from portal.lib.errors import InvalidInput  # noqa: E402
from registry.artifacts.signature import Signature, TensorSpec  # noqa: E402

ARRAYS = {
    "BOOL": np.array([[True, False]]),
    "BYTES": np.array([["a:b", "é"]], object),
    **{name: np.array([[0, 1]], dtype) for name, dtype in DTYPES.items() if "INT" in name},
    **{name: np.array([[0.1, -2.5]], DTYPES[name]) for name in ("FP16", "FP32", "FP64")},
}


def client_body(array: np.ndarray, datatype: str, *, binary: bool = False, outputs: bool = True) -> bytes:
    tensor = httpclient.InferInput("x", list(array.shape), datatype)
    tensor.set_data_from_numpy(array, binary_data=binary)
    asked = [httpclient.InferRequestedOutput("y", binary_data=False)] if outputs else None
    body, _ = httpclient.InferenceServerClient.generate_request_body([tensor], outputs=asked, request_id="r:1")
    return body


def signature(datatype: str) -> Signature:
    return Signature((TensorSpec("x", datatype, (-1, 2)),), (TensorSpec("y", datatype, (-1, 2)),))


@pytest.mark.parametrize("datatype", ARRAYS)
def test_tritonclient__json_both_ways__same_array_back(datatype: str) -> None:
    sent = ARRAYS[datatype]
    request = decode_infer(client_body(sent, datatype), signature(datatype))
    assert (request.id, request.outputs) == ("r:1", ("y",))
    assert request.inputs["x"].dtype == sent.dtype
    assert np.array_equal(request.inputs["x"], sent)
    answer = encode_infer("m", "1", request.id, signature(datatype).outputs, [request.inputs["x"]])
    result = httpclient.InferResult.from_response_body(answer)
    assert np.array_equal(result.as_numpy("y"), sent)
    assert result.get_response()["id"] == "r:1"


def test_tritonclient__asks_for_no_output_by_name__all_of_them_as_json() -> None:
    request = decode_infer(client_body(ARRAYS["FP32"], "FP32", outputs=False), signature("FP32"))
    assert (request.outputs, request.parameters) == (None, {"binary_data_output": True})


def test_tritonclient__nan_in_the_answer__reads_nan() -> None:
    answer = encode_infer("m", "1", None, signature("FP32").outputs, [np.array([[np.nan, 1.0]], np.float32)])
    values = httpclient.InferResult.from_response_body(answer).as_numpy("y")
    assert np.isnan(values[0, 0])
    assert values[0, 1] == 1.0


def test_tritonclient__binary_input__told_how_to_send_json() -> None:
    with pytest.raises(InvalidInput, match="binary_data=False") as caught:
        decode_infer(client_body(ARRAYS["FP32"], "FP32", binary=True), signature("FP32"))
    assert caught.value.code == "binary_not_supported"
