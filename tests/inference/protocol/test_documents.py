"""The documents of V2's extensions: repository, statistics, configuration."""

from __future__ import annotations

from dataclasses import dataclass
from types import SimpleNamespace

import pytest

from inference.protocol.configuration import data_type, model_config
from inference.protocol.repository import IndexEntry, State, check_load, check_unload, decode_index, index
from inference.protocol.statistics import model_stats
from portal.lib.errors import InvalidInput
from registry.artifacts.signature import ORT_TYPES, Signature, TensorSpec

IRIS = Signature(
    (TensorSpec("X", "FP32", (-1, 4)),), (TensorSpec("label", "INT64", (-1,)), TensorSpec("p", "FP32", (-1, 3)))
)


def test_index__entries__all_or_only_what_is_ready() -> None:
    entries = [
        IndexEntry("iris", "2", State.READY),
        IndexEntry("text", "1", State.LOADING, "it is being loaded"),
        IndexEntry("new", "", State.UNAVAILABLE, "nothing is promoted"),
    ]
    assert index(entries) == [
        {"name": "iris", "version": "2", "state": "READY", "reason": ""},
        {"name": "text", "version": "1", "state": "LOADING", "reason": "it is being loaded"},
        {"name": "new", "version": "", "state": "UNAVAILABLE", "reason": "nothing is promoted"},
    ]
    assert [entry["name"] for entry in index(entries, only_ready=True)] == ["iris"]


@pytest.mark.parametrize(
    ("body", "expected"),
    [(b"", False), (b" \n", False), (b"{}", False), (b'{"ready":true}', True), (b'{"ready":false,"a":1}', False)],
)
def test_decode_index__body__whether_only_ready(body: bytes, expected: bool) -> None:
    assert decode_index(body) is expected


@pytest.mark.parametrize(
    "body", [b"[]", b"null", b"x", b'{"ready":1}', b'{"ready":"true"}', b'{"ready":true,"ready":true}']
)
def test_decode_index__wrong_body__refused(body: bytes) -> None:
    with pytest.raises(InvalidInput):
        decode_index(body)


@pytest.mark.parametrize("body", [b"", b"{}", b'{"parameters":{}}', b'{"parameters":{"unload_dependents":false}}'])
def test_check_load_and_unload__what_clients_send__accepted(body: bytes) -> None:
    check_load(body)
    check_unload(body)


@pytest.mark.parametrize("key", ["config", "file:1/model.onnx"])
def test_check_load__model_or_configuration_sent_along__told_what_to_do(key: str) -> None:
    with pytest.raises(InvalidInput, match="upload a version and promote it") as caught:
        check_load(b'{"parameters":{"%b":"{}"}}' % key.encode())
    assert caught.value.code == "load_parameters_not_supported"


@pytest.mark.parametrize("body", [b"[]", b'{"parameters":[]}', b'{"parameters":{"unload_dependents":"no"}}', b"{"])
def test_check_unload__wrong_body__refused(body: bytes) -> None:
    with pytest.raises(InvalidInput):
        check_unload(body)


@dataclass(frozen=True)
class Spent:
    count: int
    ns: int


def test_model_stats__one_version__every_leaf_a_count_and_nanoseconds() -> None:
    leaves = {name: Spent(number, number * 10) for number, name in enumerate(("success", "fail", "queue"), 1)}
    compute = {
        f"compute_{name}": Spent(number, number * 10) for number, name in enumerate(("input", "infer", "output"), 4)
    }
    batch = SimpleNamespace(batch_size=8, **compute)
    figures = SimpleNamespace(
        version=3,
        last_inference=1700000000123,
        inference_count=9,
        execution_count=2,
        batches=[batch],
        **leaves,
        **compute,
    )
    nothing = {"count": 0, "ns": 0}
    spent = {name: {"count": value.count, "ns": value.ns} for name, value in {**leaves, **compute}.items()}
    assert model_stats({"iris": [figures], "new": []}, {("iris", 3): 4096}) == {
        "model_stats": [
            {
                "name": "iris",
                "version": "3",
                "last_inference": 1700000000123,
                "inference_count": 9,
                "execution_count": 2,
                "inference_stats": {**spent, "cache_hit": nothing, "cache_miss": nothing},
                "response_stats": {},
                "batch_stats": [{"batch_size": 8, **{name: spent[name] for name in compute}}],
                "memory_usage": [{"type": "CPU", "id": 0, "byte_size": 4096}],
            }
        ]
    }
    assert model_stats({"iris": [figures]})["model_stats"][0]["memory_usage"] == []


def test_model_config__batches__dims_without_the_batch() -> None:
    config = model_config("iris", IRIS, max_batch_size=16, batch_delay_us=500, versions=[2, 3], parameters={"a": "b"})
    assert config == {
        "name": "iris",
        "platform": "onnxruntime_onnx",
        "backend": "onnxruntime",
        "version_policy": {"specific": {"versions": [2, 3]}},
        "max_batch_size": 16,
        "input": [{"name": "X", "data_type": "TYPE_FP32", "dims": [4]}],
        "output": [
            {"name": "label", "data_type": "TYPE_INT64", "dims": [1], "reshape": {"shape": []}},
            {"name": "p", "data_type": "TYPE_FP32", "dims": [3]},
        ],
        "instance_group": [{"name": "iris", "kind": "KIND_CPU", "count": 1, "gpus": []}],
        "default_model_filename": "model.onnx",
        "parameters": {"a": {"string_value": "b"}},
        "dynamic_batching": {"preferred_batch_size": [16], "max_queue_delay_microseconds": 500},
    }


def test_model_config__no_batches__whole_shapes() -> None:
    config = model_config("iris", IRIS)
    assert (config["max_batch_size"], config["input"][0]["dims"]) == (0, [-1, 4])
    assert "dynamic_batching" not in config
    fixed = Signature(IRIS.inputs, (TensorSpec("y", "BYTES", (1,)),))
    config = model_config("iris", fixed, max_batch_size=16, batch_delay_us=0)
    assert (config["max_batch_size"], config["input"][0]["dims"]) == (0, [-1, 4])
    assert config["output"] == [{"name": "y", "data_type": "TYPE_STRING", "dims": [1]}]
    assert "dynamic_batching" not in config


def test_data_type__every_datatype__tritons_word() -> None:
    assert sorted(map(data_type, set(ORT_TYPES.values()))) == [
        "TYPE_BF16", "TYPE_BOOL", "TYPE_FP16", "TYPE_FP32", "TYPE_FP64", "TYPE_INT16", "TYPE_INT32", "TYPE_INT64",
        "TYPE_INT8", "TYPE_STRING", "TYPE_UINT16", "TYPE_UINT32", "TYPE_UINT64", "TYPE_UINT8",
    ]  # fmt: skip
