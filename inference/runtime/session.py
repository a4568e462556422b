"""An ONNX Runtime session with the settings that serving needs, and its errors in our words."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from mmap import mmap
from pathlib import Path
from time import monotonic
from typing import Any

import numpy as np
import onnxruntime as ort
from onnxruntime.capi.onnxruntime_pybind11_state import EPFail

from inference.runtime.bfloat16 import BFloat16Runner, has_bfloat16
from inference.runtime.opening import Opener, opener_of
from inference.runtime.providers import QUIET, provider_names
from inference.runtime.watchdog import watchdog
from inference.runtime.zipmap import ZipMapRunner, has_zipmap
from portal.lib.errors import DeadlineExceeded, PortalError, Unavailable, Unprocessable
from registry.artifacts.feeds import InputSlot
from registry.artifacts.model_files import OpenModel, mapped
from registry.artifacts.signature import ORT_TYPES, Signature

# Measured: a session costs about one and a half times its file, and something for itself.
MEMORY_FACTOR = 1.5
MEMORY_BASE = 200_000
# Where external data would be looked for. Nothing can ever be there, so a model can read no file.
NOWHERE = "/dev/null/none"
Run = Callable[[Sequence[str], dict[str, np.ndarray], ort.RunOptions], Any]
# What ONNX Runtime puts around its reasons: "[ONNXRuntimeError] : 2 : INVALID_ARGUMENT :", source files, C++ names.
STATUS = re.compile(r"^[\s:]*\d+\s*:\s*[A-Z_]+\s*:")
INNARDS = re.compile(r"\S*(?:[/\\]|::)\S*|\S+\.(?:cc|cpp|h):\d+\S*")


class ModelSession:
    """A loaded version. `run` may be called from several threads at once."""

    __slots__ = ("_options", "_outputs", "_run", "_session", "memory_bytes", "signature")

    def __init__(self, session: ort.InferenceSession, signature: Signature, memory_bytes: int) -> None:
        self._session: ort.InferenceSession | None = session
        self._run: Run = BFloat16Runner(session, signature).run if has_bfloat16(signature) else session.run
        if has_zipmap(session):
            self._run = ZipMapRunner(session, signature, self._run).run
        self._outputs = [spec.name for spec in signature.outputs]
        self._options = _run_options()
        self.signature = signature
        self.memory_bytes = memory_bytes

    def run(
        self, inputs: dict[str, np.ndarray], outputs: Sequence[str] | None = None, *, deadline: float | None = None
    ) -> list[np.ndarray]:
        """The outputs in the order asked for, or in the signature's. `deadline` is in seconds of `time.monotonic`.

        Raises Unprocessable (`model_refused`) if the model refuses, DeadlineExceeded if it is not done in time,
        Unavailable once it is closed. A run can be ended between two nodes of the graph only.
        """
        if deadline is not None:
            return self._run_by(deadline, inputs, outputs)
        try:
            return self._run(outputs or self._outputs, inputs, self._options)
        except PortalError:
            raise
        except Exception as error:
            raise _refusal(error) from None

    def slots(self) -> tuple[InputSlot, ...]:
        """The inputs as the file declares them, with the names of free dimensions; nothing once it is closed."""
        nodes = [] if self._session is None else self._session.get_inputs()
        return tuple(InputSlot(node.name, ORT_TYPES[node.type], tuple(node.shape)) for node in nodes)

    def close(self) -> None:
        """Lets the memory go as soon as the runs in progress have ended. Harmless when it is closed already."""
        self._run = _closed
        self._session = None

    def _run_by(
        self, deadline: float, inputs: dict[str, np.ndarray], outputs: Sequence[str] | None
    ) -> list[np.ndarray]:
        if deadline <= monotonic():
            raise _too_late()
        options = _run_options()
        watchdog.begin(options, deadline)
        try:
            answer = self._run(outputs or self._outputs, inputs, options)
        except PortalError:
            raise
        except Exception as error:
            raise _too_late() if options.terminate else _refusal(error) from None
        finally:
            watchdog.end(options)
        if options.terminate:
            raise _too_late()
        return answer


def _run_options() -> ort.RunOptions:
    options = ort.RunOptions()
    options.log_severity_level = QUIET
    return options


def _closed(outputs: Sequence[str], inputs: dict[str, np.ndarray], options: ort.RunOptions) -> list[np.ndarray]:
    raise Unavailable("This version is being unloaded; try again.", code="model_unloaded", retry_after=1)


def _too_late() -> DeadlineExceeded:
    return DeadlineExceeded("The model did not answer in time; send fewer rows at once, or allow it more time.")


def load_session(
    source: str | Path | Opener | OpenModel,
    signature: Signature,
    *,
    threads: int = 1,
    providers: Sequence[str] = ("cpu",),
    tune: Callable[[ort.SessionOptions], None] | None = None,
    beside: Mapping[str, mmap | bytes] | None = None,
) -> ModelSession:
    """`providers` as `providers.provider_names` takes them; `tune` may change the options before they are used.

    `beside` is the content of the data files where they are mapped already. Raises Unavailable (`model_not_loadable`),
    and what opening `source` raises.
    """
    options = _options(threads)
    if tune is not None:
        tune(options)
    try:
        with nullcontext(source) if isinstance(source, OpenModel) else opener_of(source)() as model:
            session = _create(model, options, providers, mapped(model.data) if beside is None else beside)
            size = model.size
    except PortalError:
        raise
    except Exception:
        raise not_loadable() from None
    if _names_and_types(session) != _expected(signature):
        raise not_loadable()
    return ModelSession(session, signature, int(size * MEMORY_FACTOR) + MEMORY_BASE)


def _create(
    model: OpenModel, options: ort.SessionOptions, providers: Sequence[str], beside: Mapping[str, mmap | bytes]
) -> ort.InferenceSession:
    """ONNX Runtime opens no data file itself: it gets their content, and finds nothing under any other name."""
    if beside:
        names, contents = list(beside), list(beside.values())
        options.add_external_initializers_from_files_in_memory(names, contents, [len(content) for content in contents])
    session = ort.InferenceSession(model.path, options, providers=provider_names(providers))
    # Otherwise a device's failure would move the session to the CPU for good, without a word.
    session.disable_fallback()
    return session


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


def not_loadable() -> Unavailable:
    return Unavailable("This version cannot be loaded; upload it again or pick another one.", code="model_not_loadable")


def _refusal(error: Exception) -> PortalError:
    """ONNX Runtime's own reason without its prefixes, paths and C++."""
    if isinstance(error, EPFail):
        return Unavailable("The device that runs this model failed; try again.", code="device_failed", retry_after=5)
    if isinstance(error, UnicodeDecodeError) or "No corresponding Numpy type" in str(error):
        return Unprocessable("The model's answer holds values that JSON cannot carry.", code="output_not_json")
    reason = str(error)
    for lead in ("[ONNXRuntimeError]", "Status Message:", "was false."):
        reason = reason.rsplit(lead, 1)[-1]
    reason = " ".join(INNARDS.sub("", STATUS.sub("", reason)).split()).strip(" :.")[:200]
    return Unprocessable(f"The model refused these values{': ' if reason else ''}{reason}.", code="model_refused")
