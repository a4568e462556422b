from __future__ import annotations

import base64
import json
import tracemalloc
from typing import Any

import numpy as np
import pytest

from inference.protocol import preprocessing
from inference.protocol.pictures import Picture
from inference.protocol.preprocessing import Travels, label_texts, places, travels_with
from inference.protocol.v1 import decode_predict, encode_predict
from inference.serving.codecs import V2
from portal.lib.errors import InvalidInput, Unprocessable
from registry.artifacts.manifest import check_manifest
from registry.artifacts.signature import NUMPY_DTYPES, Signature, TensorSpec

TABLE = Signature(
    (TensorSpec("X", "FP32", (-1, 2)),), (TensorSpec("label", "INT64", (-1,)), TensorSpec("p", "FP32", (-1, 3)))
)
LABELS = {"label": ["a", "b", "c"], "p": ["a", "b", "c"]}


def picture_model(shape: tuple[int, ...], datatype: str = "FP32") -> Signature:
    return Signature((TensorSpec("picture", datatype, shape),), (TensorSpec("y", "FP32", (-1, 2)),))


def travels(signature: Signature, **manifest: Any) -> Travels:
    return travels_with(signature, check_manifest(manifest))


def decode(document: Any, signature: Signature, **manifest: Any) -> dict[str, Any]:
    request = decode_predict(json.dumps(document).encode(), signature, travels(signature, **manifest))
    return {name: array.tolist() for name, array in request.inputs.items()}


def test_v1__scale_mean_std__value_times_scale_minus_mean_over_std() -> None:
    inputs = {"X": {"scale": 0.5, "mean": [1, 2], "std": [2.0, 4.0]}}
    assert decode({"instances": [[4, 8], [0, 0]]}, TABLE, inputs=inputs) == {"X": [[0.5, 0.5], [-0.5, -0.5]]}


def test_v1__scaled__array_as_the_model_takes_it() -> None:
    found = travels(TABLE, inputs={"X": {"scale": 0.1}})
    request = decode_predict(b'{"inputs": [[1, 2]]}', TABLE, found)
    assert request.inputs["X"].dtype == np.float32
    assert request.inputs["X"].flags.c_contiguous
    assert request.inputs["X"].tolist() == np.array([[0.1, 0.2]], np.float32).tolist()


def test_v1__preprocess_false__values_as_they_are() -> None:
    body = {"instances": [[4, 8]], "parameters": {"preprocess": False}}
    assert decode(body, TABLE, inputs={"X": {"scale": 0.5}}) == {"X": [[4.0, 8.0]]}


def test_v2__scaling_in_the_manifest__tensors_as_they_are() -> None:
    found = travels(TABLE, inputs={"X": {"scale": 0.5}}, labels=LABELS)
    body = {"inputs": [{"name": "X", "shape": [1, 2], "datatype": "FP32", "data": [4, 8]}]}
    request = V2.decode(json.dumps(body).encode(), None, TABLE, found)
    assert request.inputs["X"].tolist() == [[4.0, 8.0]]
    assert request.labels is None


def test_v2__classification__labels_of_the_manifest() -> None:
    body = {
        "inputs": [{"name": "X", "shape": [1, 2], "datatype": "FP32", "data": [4, 8]}],
        "outputs": [{"name": "p", "parameters": {"classification": 2}}],
    }
    request = V2.decode(json.dumps(body).encode(), None, TABLE, travels(TABLE, labels=LABELS))
    answer, _headers = V2.encode("m", 1, request, TABLE.outputs[1:], [np.array([[0.25, 0.5, 0.25]], np.float32)])
    assert json.loads(answer)["outputs"][0]["data"] == ["0.5:1:b", "0.25:0:a"]


def test_v1__rows_by_feature__in_the_order_of_the_manifest() -> None:
    body = {"instances": [{"width": 2, "length": 1}, {"length": 3, "width": 4}]}
    assert decode(body, TABLE, inputs={"X": {"features": ["length", "width"]}}) == {"X": [[1.0, 2.0], [3.0, 4.0]]}


@pytest.mark.parametrize(
    ("row", "says"),
    [
        ({"length": 1}, "Row 1 lacks 'width'"),
        ({"length": 1, "width": 1, "wings": 2}, "Row 1 has the unknown 'wings'"),
        ([1, 2], "Row 1 must be an object"),
    ],
)
def test_v1__rows_by_feature__wrong_row_is_named(row: Any, says: str) -> None:
    with pytest.raises(InvalidInput, match=says):
        decode({"instances": [{"length": 1, "width": 2}, row]}, TABLE, inputs={"X": {"features": ["length", "width"]}})


def test_v1__same_feature_twice_in_a_row__refused() -> None:
    with pytest.raises(InvalidInput) as caught:
        decode_predict(
            b'{"instances": [{"length": 1, "width": 2, "width": 3}]}',
            TABLE,
            travels(TABLE, inputs={"X": {"features": ["length", "width"]}}),
        )
    assert caught.value.code == "duplicate_key"


RGB = np.arange(12, dtype=np.uint8).reshape(2, 2, 3)


def image(**words: Any) -> dict[str, Any]:
    return {"inputs": {"picture": {"image": words, "scale": 2.0, "mean": [0, 1, 2]}}}


@pytest.mark.parametrize(
    "row", [RGB.tolist(), {"b64": base64.b64encode(RGB.tobytes()).decode()}], ids=["lists", "base64"]
)
def test_v1__picture__scaled_and_laid_out(row: Any) -> None:
    wanted = (RGB.astype(np.float64) * 2 - [0, 1, 2]).transpose(2, 0, 1)[np.newaxis]
    given = decode({"instances": [row]}, picture_model((-1, 3, 2, 2)), **image())
    assert given == {"picture": wanted.tolist()}


def test_v1__bgr_and_channels_last__numbers_go_with_the_models_colours() -> None:
    wanted = RGB[..., ::-1].astype(np.float64) * 2 - [0, 1, 2]
    given = decode({"instances": [RGB.tolist()]}, picture_model((-1, 2, 2, 3)), **image(layout="NHWC", color="BGR"))
    assert given == {"picture": [wanted.tolist()]}


def test_v1__grey_model__colours_by_brightness_and_grey_as_it_is() -> None:
    signature = picture_model((-1, 1, 1, 2), "UINT8")
    manifest: dict[str, Any] = {"inputs": {"picture": {"image": {"color": "GRAY"}}}}
    colours = {"instances": [[[[255, 0, 0], [0, 0, 255]]]]}
    assert decode(colours, signature, **manifest) == {"picture": [[[[76, 29]]]]}
    grey = {"instances": [{"b64": base64.b64encode(bytes([7, 200])).decode()}]}
    assert decode(grey, signature, **manifest) == {"picture": [[[[7, 200]]]]}


def test_grey__every_third_colour__the_nearest_brightness_of_a_byte() -> None:
    levels = np.arange(0, 256, 3, dtype=np.uint8)
    colours = np.stack(np.meshgrid(levels, levels, levels), -1).reshape(1, -1, len(levels), 3)
    picture = Picture("NHWC", "GRAY", len(levels), colours.shape[1])
    wanted = (colours.astype(np.int64) @ [299, 587, 114] + 500) // 1000
    grey = picture.pixels(colours)
    assert (grey.dtype, grey.shape) == (np.uint8, (*wanted.shape, 1))
    assert (grey[..., 0] == wanted).all()


@pytest.mark.parametrize("shape", [(7,), (5, 3), (0, 3), (2, 4, 5, 3), (3, 1, 1, 1), (1, 9, 2, 3), ()])
@pytest.mark.parametrize("most", [1, 6, 7, 30, 1000])
def test_places__any_shape__each_value_once_and_no_row_of_the_last_axis_cut(shape: tuple[int, ...], most: int) -> None:
    seen = np.zeros(shape, np.int64)
    for place in places(shape, most):
        seen[place] += 1
        assert seen[place].size <= max(most, *shape[-1:], 1)
        assert seen[place].shape[-1:] == shape[-1:]
    assert (seen == 1).all()


@pytest.mark.parametrize("datatype", ["FP16", "FP32", "FP64"])
@pytest.mark.parametrize("layout", ["NCHW", "NHWC"])
def test_scaled__piece_by_piece__the_same_numbers_as_at_once(
    datatype: str, layout: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    shape = (-1, 3, 40, 50) if layout == "NCHW" else (-1, 40, 50, 3)
    words: dict[str, Any] = {"scale": 1 / 255, "mean": [0.485, 0.456, 0.406], "std": [0.229, 0.224, 0.225]}
    part = {"image": {"layout": layout, "color": "BGR"}, **words}
    found = travels(picture_model(shape, datatype), inputs={"picture": part})
    given = np.random.default_rng(1).integers(0, 256, (3, 40, 50, 3), np.uint8)
    wanted = (given[..., ::-1].astype(np.float64) * words["scale"] - words["mean"]) / words["std"]
    wanted = wanted.transpose(0, 3, 1, 2) if layout == "NCHW" else wanted
    for most in (1 << 20, 600, 7):
        monkeypatch.setattr(preprocessing, "places", lambda shape, most=most: places(shape, most))
        array = found.prepared({"picture": given})["picture"]
        assert array.flags.c_contiguous
        assert array.tobytes() == np.ascontiguousarray(wanted, NUMPY_DTYPES[datatype]).tobytes()


def test_scaled__a_large_picture__takes_little_more_than_the_picture_and_what_the_model_gets() -> None:
    found = travels(picture_model((-1, 3, 2000, 2000)), inputs={"picture": {"image": {}, "scale": 0.5}})
    given = np.zeros((1, 2000, 2000, 3), np.uint8)
    tracemalloc.start()
    try:
        array = found.prepared({"picture": given})["picture"]
        most = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert most < array.nbytes + (24 << 20)


@pytest.mark.parametrize(
    ("rows", "says"),
    [
        ([{"b64": base64.b64encode(b"12").decode()}], "2 x 2 pixels of 3 bytes, 12 bytes in all; 2 were sent"),
        ([{"b64": "?"}], "not the base64 of pixels"),
        ([[[[0, 0, 256], [0, 0, 0]], [[0, 0, 0], [0, 0, 0]]]], "which UINT8 cannot hold"),
        ([[[0, 0], [0, 0]]], r"the shape must be \[any, 2, 2, 3\]"),
    ],
)
def test_v1__wrong_picture__sentence(rows: Any, says: str) -> None:
    with pytest.raises(InvalidInput, match=says):
        decode({"instances": rows}, picture_model((-1, 3, 2, 2)), **image())


@pytest.mark.parametrize(
    ("signature", "part", "says"),
    [
        (TABLE, {"Y": {"scale": 2}}, "the input 'Y', which the model does not have"),
        (TABLE, {"X": {"mean": [1, 2, 3]}}, "mean has 3 numbers where 2 would fit"),
        (TABLE, {"X": {"image": {}}}, "a picture needs four dimensions"),
        (picture_model((-1, 1, 2, 2)), {"picture": {"image": {}}}, "has 3 channels, the model takes 1"),
        (picture_model((-1, 3, 2, -1)), {"picture": {"image": {}}}, "leaves the width open"),
        (picture_model((-1, 3, 2, 2)), {"picture": {"image": {"height": 3}}}, "its height is 2, the manifest says 3"),
        (picture_model((-1, 3, 2, 2), "INT8"), {"picture": {"image": {}}}, "INT8 cannot hold"),
        (picture_model((-1, 3, 2, 2), "INT64"), {"picture": {"scale": 2}}, "only floating-point numbers are scaled"),
    ],
)
def test_travels__input_part_does_not_fit__nothing_is_predicted(
    signature: Signature, part: dict[str, Any], says: str
) -> None:
    found = travels(signature, inputs=part)
    assert says in found.faults[0]
    with pytest.raises(Unprocessable, match="manifest") as caught:
        decode_predict(b'{"instances": [1]}', signature, found)
    assert caught.value.code == "manifest_mismatch"


def test_scaling__more_than_the_type_holds__refused() -> None:
    signature = Signature((TensorSpec("X", "FP16", (-1, 1)),), TABLE.outputs)
    with pytest.raises(Unprocessable) as caught:
        decode({"instances": [[60000]]}, signature, inputs={"X": {"scale": 2}})
    assert caught.value.code == "out_of_range"


def test_encode__labels__by_output_and_row_beside_the_predictions() -> None:
    request = decode_predict(b'{"instances": [[1, 2], [3, 4]]}', TABLE, travels(TABLE, labels=LABELS))
    arrays = [np.array([2, 0]), np.array([[0.1, 0.2, 0.7], [0.5, 0.25, 0.25]], np.float32)]
    answer = json.loads(encode_predict(request, TABLE.outputs, arrays))
    assert answer["labels"] == {"label": ["c", "a"], "p": ["c", "a"]}
    assert [row["label"] for row in answer["predictions"]] == [2, 0]


def test_encode__labels_false__as_without_a_manifest() -> None:
    body = b'{"instances": [[1, 2]], "parameters": {"labels": false}}'
    request = decode_predict(body, TABLE, travels(TABLE, labels=LABELS))
    answer = json.loads(encode_predict(request, TABLE.outputs[:1], [np.array([2])]))
    assert answer == {"predictions": [2]}


@pytest.mark.parametrize(
    ("array", "wanted"),
    [
        (np.array([0, 3, -1, 2]), ["a", None, None, "c"]),
        (np.array([[1], [2]], np.uint8), ["b", "c"]),
        (np.array([True, False]), ["b", "a"]),
        (np.array([[0.1, 0.9, np.nan], [0.0, 0.0, 1.0]]), [None, "c"]),
        (np.array([[0.1, 0.9]]), [None]),
        (np.array([0.0, 1.0]), [None, None]),
        (np.zeros((0, 3)), []),
        (np.array(1), ["b"]),
    ],
)
def test_label_texts__index_or_largest_score(array: np.ndarray, wanted: list[str | None]) -> None:
    assert label_texts(["a", "b", "c"], array) == wanted


def test_travels__labels_that_do_not_fit__left_out_with_a_sentence() -> None:
    outputs = (TensorSpec("p", "FP32", (-1, 2)), TensorSpec("t", "BYTES", (-1,)))
    found = travels(Signature(TABLE.inputs, outputs), labels={"p": ["a"], "t": ["a"], "no": ["a"]})
    assert found.labels == {}
    assert len(found.faults) == 3
    assert not found.broken
