"""An ONNX Runtime session with the settings that serving needs, and its errors in our words."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import onnxruntime as ort

from portal.lib.errors import Unavailable, Unprocessable
from registry.artifacts.signature import ORT_TYPES, Signature

# Measured: a session costs about one and a half times its file, and something for itself.
MEMORY_FACTOR = 1.5
MEMORY_BASE = 200_000
QUIET = 4
# Where external data would be looked for. Nothing can ever be there, so a model can read no file.
NOWHERE = "/dev/null/none"
PROVIDERS = ["CPUExecutionProvider"]
# What ONNX Runtime puts around its reasons: "[ONNXRuntimeError] : 2 : INVALID_ARGUMENT :", source files, C++ names.
STATUS = re.compile(r"^[\s:]*\d+\s*:\s*[A-Z_]+\s*:")
INNARDS = re.compile(r"\S*(?:[/\\]|::)\S*|\S+\.(?:cc|cpp|h):\d+\S*")


class ModelSession:
    """A loaded version. `run` may be called from several threads at once."""

    __slots__ = ("_options", "_outputs", "_session", "memory_bytes", "signature")

    def __init__(self, session: ort.InferenceSession, signature: Signature, memory_bytes: int) -> None:
        self._session = session
        self._outputs = [spec.name for spec in signature.outputs]
        self._options = ort.RunOptions()
        self._options.log_severity_level = QUIET
        self.signature = signature
        self.memory_bytes = memory_bytes

    def run(self, inputs: dict[str, np.ndarray], outputs: Sequence[str] | None = None) -> list[np.ndarray]:
        """The outputs in the order asked for, or in the signature's. Raises Unprocessable if the model refuses."""
        try:
            return self._session.run(outputs or self._outputs, inputs, self._options)
        except Exception as error:
            raise _refusal(error) from None


def load_session(path: str | Path, signature: Signature, *, threads: int = 1) -> ModelSession:
    """Raises Unavailable (`model_not_loadable`)."""
    try:
        session = ort.InferenceSession(str(path), _options(threads), providers=PROVIDERS)
        size = Path(path).stat().st_size
    except Exception:
        raise _not_loadable() from None
    if _names_and_types(session) != _expected(signature):
        raise _not_loadable()
    return ModelSession(session, signature, int(size * MEMORY_FACTOR) + MEMORY_BASE)


def _options(threads: int) -> ort.SessionOptions:
    ort.set_default_logger_severity(QUIET)
    options = ort.SessionOptions()
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_ENABLE_ALL
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = QUIET
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.add_session_config_entry("session.inter_op.allow_spinning", "0")
    options.add_session_config_entry("session.model_external_initializers_file_folder_path", NOWHERE)
    return options


def _names_and_types(session: ort.InferenceSession) -> tuple[set[tuple[str, str]], set[tuple[str, str]]]:
    def named(nodes: Sequence[ort.NodeArg]) -> set[tuple[str, str]]:
        return {(node.name, ORT_TYPES.get(node.type, node.type)) for node in nodes}

    return named(session.get_inputs()), named(session.get_outputs())


def _expected(signature: Signature) -> tuple[set[tuple[str, str]], set[tuple[str, str]]]:
    return (
        {(spec.name, spec.datatype) for spec in signature.inputs},
        {(spec.name, spec.datatype) for spec in signature.outputs},
    )


def _not_loadable() -> Unavailable:
    return Unavailable("This version cannot be loaded; upload it again or pick another one.", code="model_not_loadable")


def _refusal(error: Exception) -> Unprocessable:
    """ONNX Runtime's own reason without its prefixes, paths and C++."""
    if isinstance(error, UnicodeDecodeError) or "No corresponding Numpy type" in str(error):
        return Unprocessable("The model's answer holds values that JSON cannot carry.", code="output_not_json")
    reason = str(error)
    for lead in ("[ONNXRuntimeError]", "Status Message:", "was false."):
        reason = reason.rsplit(lead, 1)[-1]
    reason = " ".join(INNARDS.sub("", STATUS.sub("", reason)).split()).strip(" :.")[:200]
    return Unprocessable(f"The model refused these values{': ' if reason else ''}{reason}.", code="model_refused")
