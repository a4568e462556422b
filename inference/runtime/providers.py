"""ONNX Runtime's execution providers: what computes, by the short names that an operator writes in the configuration.

The wheel from PyPI brings the CPU, and CoreML on macOS. Others come with a build of ONNX Runtime that takes its place.
"""

from __future__ import annotations

from collections.abc import Sequence

import onnxruntime as ort

CPU = "CPUExecutionProvider"
NAMES = {
    "cpu": CPU,
    "cuda": "CUDAExecutionProvider",
    "tensorrt": "TensorrtExecutionProvider",
    "openvino": "OpenVINOExecutionProvider",
    "coreml": "CoreMLExecutionProvider",
    "directml": "DmlExecutionProvider",
    "migraphx": "MIGraphXExecutionProvider",
    "qnn": "QNNExecutionProvider",
}
PACKAGES = {
    "CUDAExecutionProvider": "onnxruntime-gpu",
    "TensorrtExecutionProvider": "onnxruntime-gpu",
    "OpenVINOExecutionProvider": "onnxruntime-openvino",
    "DmlExecutionProvider": "onnxruntime-directml",
    "MIGraphXExecutionProvider": "onnxruntime-migraphx",
    "QNNExecutionProvider": "onnxruntime-qnn",
}
QUIET = 4
# The model y = x for one number, by which a provider shows that it opens.
IDENTITY = (
    b'\x08\x07:7\n\x10\n\x01x\x12\x01y"\x08Identity\x12\x01gZ\x0f\n\x01x\x12\n\n\x08\x08\x01\x12\x04\n\x02\x08\x01'
    b"b\x0f\n\x01y\x12\n\n\x08\x08\x01\x12\x04\n\x02\x08\x01B\x04\n\x00\x10\r"
)


class ProviderMissing(ValueError):
    """Its one sentence names what is missing and what to do."""


def provider_names(names: Sequence[str]) -> list[str]:
    """ONNX Runtime's names, each once, in the order of preference. The CPU takes what the others cannot, so it is last.

    `names` are short ("cuda") or ONNX Runtime's own ("CUDAExecutionProvider"). Raises ProviderMissing for unknown ones.
    """
    known = {**NAMES, **{name.lower(): name for name in ort.get_all_providers()}}
    found: dict[str, None] = {}
    for name in names:
        try:
            found[known[name.strip().lower()]] = None
        except KeyError:
            raise ProviderMissing(
                f"There is no execution provider {name.strip()!r}; take one of {', '.join(NAMES)}."
            ) from None
    found.pop(CPU, None)
    return [*found, CPU]


def check_providers(names: Sequence[str]) -> list[str]:
    """What `provider_names` gives, when every one is installed and opens here. Raises ProviderMissing otherwise.

    Opening one may take seconds: this is for checks, not for requests.
    """
    wanted = provider_names(names)
    installed = ort.get_available_providers()
    for provider in wanted:
        if provider not in installed:
            raise ProviderMissing(_not_installed(provider, installed))
    for provider in wanted[:-1]:
        if not _opens(provider):
            raise ProviderMissing(
                f"The execution provider {_short(provider)} is installed but does not start on this machine; check its "
                "driver and libraries."
            )
    return wanted


def _opens(provider: str) -> bool:
    options = ort.SessionOptions()
    options.log_severity_level = QUIET
    try:
        return provider in ort.InferenceSession(IDENTITY, options, providers=[provider, CPU]).get_providers()
    except Exception:
        return False


def _not_installed(provider: str, installed: Sequence[str]) -> str:
    package = PACKAGES.get(provider)
    advice = f"install the package {package} in place of onnxruntime" if package else "no package of ours brings it"
    here = ", ".join(_short(name) for name in installed)
    return f"The execution provider {_short(provider)} is not installed, only {here}: {advice}, or do without it."


def _short(provider: str) -> str:
    return next((name for name, full in NAMES.items() if full == provider), provider)
