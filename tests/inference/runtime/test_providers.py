from __future__ import annotations

from pathlib import Path

import numpy as np
import onnxruntime as ort
import pytest

from inference.runtime.providers import CPU, PACKAGES, ProviderMissing, check_providers, provider_names
from inference.runtime.session import load_session
from portal.lib.errors import Unavailable
from registry.artifacts.signature import Signature, TensorSpec
from tests import graphs

PLUS = Signature((TensorSpec("x", "FP32", (-1, 4)),), (TensorSpec("y", "FP32", (-1, 4)),))


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        ((), [CPU]),
        (("cpu",), [CPU]),
        (("cpu", "cuda"), ["CUDAExecutionProvider", CPU]),
        ((" TensorRT", "cuda", "CUDAExecutionProvider"), ["TensorrtExecutionProvider", "CUDAExecutionProvider", CPU]),
        (("XnnpackExecutionProvider",), ["XnnpackExecutionProvider", CPU]),
    ],
)
def test_provider_names__short_or_long__in_order_with_the_cpu_last(names: tuple[str, ...], expected: list[str]) -> None:
    assert provider_names(names) == expected


def test_provider_names__unknown__says_which_there_are() -> None:
    with pytest.raises(ProviderMissing) as caught:
        provider_names(("gpu",))
    assert str(caught.value) == (
        "There is no execution provider 'gpu'; take one of cpu, cuda, tensorrt, openvino, coreml, directml, migraphx, "
        "qnn."
    )


def test_check_providers__the_cpu__is_there() -> None:
    assert check_providers(("cpu",)) == [CPU]


@pytest.mark.parametrize("name", ["cuda", "openvino", "coreml"])
def test_check_providers__not_installed__names_what_is_there_and_the_package(name: str) -> None:
    provider = provider_names((name,))[0]
    if provider in ort.get_available_providers():
        pytest.skip("This build of ONNX Runtime has it.")
    with pytest.raises(ProviderMissing) as caught:
        check_providers((name, "cpu"))
    message = str(caught.value)
    assert message.startswith(f"The execution provider {name} is not installed, only ")
    assert "cpu" in message
    assert PACKAGES.get(provider, "no package of ours brings it") in message


def test_load_session__a_provider_that_takes_no_node__the_cpu_computes(tmp_path: Path) -> None:
    if "AzureExecutionProvider" not in ort.get_available_providers():
        pytest.skip("The only second provider of the standard build is not here.")
    path = tmp_path / "model.onnx"
    path.write_bytes(graphs.add_constant(1.0))
    assert check_providers(("AzureExecutionProvider",)) == ["AzureExecutionProvider", CPU]
    session = load_session(path, PLUS, providers=("AzureExecutionProvider",))
    assert session.run({"x": np.zeros((1, 4), np.float32)})[0].tolist() == [[1.0] * 4]


def test_load_session__unknown_provider__not_loadable(tmp_path: Path) -> None:
    path = tmp_path / "model.onnx"
    path.write_bytes(graphs.add_constant(1.0))
    with pytest.raises(Unavailable):
        load_session(path, PLUS, providers=("abacus",))
