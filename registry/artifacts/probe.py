"""Loads a model and runs it on made-up inputs. Runs in the sandbox child only."""

from __future__ import annotations

import mmap
import statistics
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import onnxruntime

from registry.artifacts.batching import MAX_ROWS, Joining
from registry.artifacts.feeds import GUESSES, Array, Guess, InputSlot, feed, n_bytes, rows
from registry.artifacts.limits import Limits
from registry.artifacts.runtime_errors import is_memory, needs_memory, short
from registry.artifacts.signature import ORT_TYPES
from registry.artifacts.zipmap import Label, as_tensor, labels_of, zipmap_outputs

# The sandbox works in an empty folder that is already removed.
_NOWHERE = "."
_CLOCK = time.perf_counter
_TOLERANCE = {"rtol": 1e-3, "atol": 1e-5}


@dataclass(slots=True)
class Probe:
    """What was seen. `accepted` is None when no guess was taken; `shapes` are the outputs', for batches of 1 and 2."""

    status: str = "ok"
    reason: str = ""
    accepted: Guess | None = None
    deterministic: bool | None = None
    dynamic_batch: bool = False
    batch_coupled: bool | None = None
    run_seconds: float | None = None
    batching: dict[str, Any] | None = None
    shapes: list[list[tuple[int, ...]]] = field(default_factory=list)


def load(model: bytes, data: Mapping[str, mmap.mmap | bytes] | None = None) -> onnxruntime.InferenceSession:
    """One thread, no files, no profile, no plug-ins: the session reads `model`, `data` by name, and nothing else."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.log_severity_level = 4
    options.add_session_config_entry("session.model_external_initializers_file_folder_path", _NOWHERE)
    if data:
        sizes = [len(content) for content in data.values()]
        options.add_external_initializers_from_files_in_memory(list(data), list(data.values()), sizes)
    return onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])


def slots(session: onnxruntime.InferenceSession) -> tuple[InputSlot, ...]:
    return tuple(InputSlot(arg.name, ORT_TYPES[arg.type], tuple(arg.shape)) for arg in session.get_inputs())


class Prober:
    """Runs one session; `look` returns all that can be learnt within the limits."""

    def __init__(self, session: onnxruntime.InferenceSession, limits: Limits) -> None:
        self._session = session
        self._outputs = [output.name for output in session.get_outputs()]
        self._zipmaps = zipmap_outputs(session.get_outputs())
        # The columns of what was a list of dictionaries, by output, once it has been seen.
        self.labels: dict[str, list[Label]] = {}
        self._limits = limits
        self._slots = slots(session)
        self._options = onnxruntime.RunOptions()
        self._options.log_severity_level = 4
        self._end = 0.0
        self._out_of_memory = False

    def look(self) -> Probe:
        probe = Probe()
        self._end = _CLOCK() + self._limits.probe_seconds
        if any(slot.datatype == "BF16" for slot in self._slots):
            probe.status, probe.reason = "skipped", "bfloat16 inputs are not generated"
            return probe
        started = _CLOCK()
        first = self._first_run(probe)
        if first is None or probe.accepted is None:
            return probe
        probe.run_seconds = _CLOCK() - started
        probe.shapes.append([output.shape for output in first])
        if self._in_time():
            probe.deterministic = self._deterministic(probe.accepted)
        if self._in_time():
            self._look_at_batches(probe)
        if self._in_time():
            probe.run_seconds = self._time(probe.accepted)
        return probe

    def look_at_joining(self, probe: Probe, run_bytes: int) -> None:
        """Whether requests may share a run. `run_bytes` is what the runs so far took beside the loaded model."""
        may = probe.dynamic_batch and probe.deterministic and probe.batch_coupled is False
        if not may or probe.accepted is None or probe.run_seconds is None or not self._in_time():
            return
        end = min(self._end, _CLOCK() + self._limits.joining_seconds)
        joining = Joining(self._run, self._slots, probe.accepted, row_seconds=probe.run_seconds, end=end)
        # The runs so far were of two rows.
        probe.batching = joining.look(min(MAX_ROWS, 2 * self._limits.joining_bytes // max(1, run_bytes)))

    def _in_time(self) -> bool:
        return _CLOCK() < self._end

    def _run(self, inputs: dict[str, Array]) -> list[Array]:
        answers = self._session.run(None, inputs, self._options)
        return [self._array(name, answer) for name, answer in zip(self._outputs, answers, strict=True)]

    def _array(self, name: str, answer: Any) -> Array:
        if name not in self._zipmaps:
            return np.asarray(answer)
        if name not in self.labels and answer:
            self.labels[name] = labels_of(answer)
        return as_tensor(answer, len(self.labels.get(name, ())))

    def _first_run(self, probe: Probe) -> list[Array] | None:
        """The outputs of the first guess that the model takes."""
        probe.status, probe.reason = "refused", "its inputs are too large to make up"
        for guess in GUESSES:
            if n_bytes(self._slots, guess, 1) > self._limits.probe_input_bytes:
                continue
            outputs, reason = self._attempt(guess, 1)
            if outputs is not None:
                probe.status, probe.reason, probe.accepted = "ok", "", guess
                return outputs
            probe.reason = reason
            if not self._in_time():
                break
        if self._out_of_memory:
            raise needs_memory()
        return None

    def _attempt(self, guess: Guess, batch: int) -> tuple[list[Array] | None, str]:
        return self._try(feed(self._slots, guess, batch))

    def _try(self, inputs: dict[str, Array]) -> tuple[list[Array] | None, str]:
        """The outputs, or why the model refuses these inputs."""
        try:
            return self._run(inputs), ""
        except Exception as error:
            self._out_of_memory = self._out_of_memory or is_memory(error)
            return None, short(error)

    def _deterministic(self, accepted: Guess) -> bool:
        """Twice the same inputs, random ones where the model takes them: zeros hide what depends on chance."""
        for guess in (Guess("random", accepted.free), accepted):
            first, _ = self._attempt(guess, 1)
            second, _ = self._attempt(guess, 1)
            if first is not None and second is not None:
                return _same(first, second)
        return False

    def _look_at_batches(self, probe: Probe) -> None:
        """Two rows together against each alone: only where rows do not mix may requests share a run."""
        if probe.accepted is None or not all(slot.has_batch for slot in self._slots):
            return
        guess = Guess("random", probe.accepted.free)
        together, _ = self._attempt(guess, 2)
        if together is None:
            guess = probe.accepted
            together, _ = self._attempt(guess, 2)
        if together is None:
            return
        probe.shapes.append([output.shape for output in together])
        probe.dynamic_batch = all(output.ndim > 0 and len(output) == 2 for output in together)
        if probe.dynamic_batch and probe.deterministic:
            probe.batch_coupled = self._coupled(guess, together)

    def _coupled(self, guess: Guess, together: list[Array]) -> bool | None:
        alone = []
        for row in rows(feed(self._slots, guess, 2)):
            outputs, _ = self._try(row)
            if outputs is None:
                return None
            if any(output.ndim == 0 or len(output) != 1 for output in outputs):
                return True
            alone.append(outputs)
        return not _same(together, [np.concatenate(parts) for parts in zip(*alone, strict=True)], **_TOLERANCE)

    def _time(self, accepted: Guess) -> float:
        """The median of what fits into the budget, at least three runs unless the time is over."""
        inputs = feed(self._slots, accepted, 1)
        seconds: list[float] = []
        while len(seconds) < 3 or (sum(seconds) < self._limits.timing_seconds and len(seconds) < 100):
            started = _CLOCK()
            self._run(inputs)
            seconds.append(_CLOCK() - started)
            if not self._in_time():
                break
        return statistics.median(seconds)


def _same(left: list[Array], right: list[Array], rtol: float = 0.0, atol: float = 0.0) -> bool:
    return all(_same_array(a, b, rtol, atol) for a, b in zip(left, right, strict=True))


def _same_array(left: Array, right: Array, rtol: float, atol: float) -> bool:
    if left.shape != right.shape or left.dtype != right.dtype:
        return False
    if left.dtype.kind != "f":
        return bool(np.array_equal(left, right))
    return bool(np.allclose(left, right, rtol=rtol, atol=atol, equal_nan=True))
