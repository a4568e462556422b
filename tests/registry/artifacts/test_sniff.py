from __future__ import annotations

from collections.abc import Callable
from types import ModuleType

import numpy as np
import pytest

from registry.artifacts.limits import MAX_MODEL_BYTES
from registry.artifacts.sniff import sniff
from tests import graphs, hostile_graphs
from tests.rejections import assert_documented, cases
from tests.wrong_files import WRONG_FILES


@pytest.mark.parametrize("name", WRONG_FILES)
def test_sniff__wrong_file__named_with_advice(name: str) -> None:
    data, code = WRONG_FILES[name]
    rejection = sniff(data[:4096], len(data))
    assert rejection is not None
    assert rejection.code == code
    assert rejection.message.endswith(".")
    if name in cases()["files"]:
        assert_documented("files", name, rejection)


def builders(module: ModuleType) -> list[Callable[[], bytes]]:
    found = (value for name, value in vars(module).items() if getattr(value, "__module__", "") == module.__name__)
    return [item for item in found if getattr(item, "__annotations__", {}).get("return") == "bytes"]


@pytest.mark.parametrize("build", [b for b in builders(graphs) if b.__name__ != "looping"], ids=lambda b: b.__name__)
def test_sniff__onnx_model__passes(build: Callable[[], bytes]) -> None:
    data = build()
    assert sniff(data[:4096], len(data)) is None


def test_sniff__cut_off_model__truncated() -> None:
    data = graphs.mlp(width=1_000)
    assert sniff(data[:4096], len(data)) is None
    rejection = sniff(data[:4096], len(data) - 100)
    assert rejection is not None
    assert rejection.code == "truncated_file"


def test_sniff__beyond_protobuf_limit__too_large() -> None:
    head = b"\x08\x0a\x3a" + b"\x80\x80\x80\x80\x08" + bytes(4000)
    assert sniff(head, MAX_MODEL_BYTES + 100).code == "too_large_for_onnx"  # type: ignore[union-attr]


def test_sniff__hostile_model__left_to_the_sandbox() -> None:
    data = hostile_graphs.group_zero()
    assert sniff(data[:4096], len(data)) is None


def test_sniff__random_bytes__never_raises() -> None:
    random = np.random.default_rng(1)
    for size in range(1, 2_000):
        data = random.bytes(size % 97 + 1)
        sniff(data, len(data))
