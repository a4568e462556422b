"""One validation from start to end: lint, checker, load, probe. Runs in the sandbox child only."""

from __future__ import annotations

import os
import resource
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from typing import Any

import onnx
import onnxruntime
from google.protobuf.message import DecodeError  # type: ignore[import-untyped]
from onnx import checker

from registry.artifacts import inspect, lint
from registry.artifacts.classes import declared_labels, shown_labels
from registry.artifacts.contract import contract, outputs_of_unknown_rank
from registry.artifacts.external import hollow, locations
from registry.artifacts.isolation import verdict
from registry.artifacts.limits import Limits
from registry.artifacts.model_files import OpenModel, mapped
from registry.artifacts.names import readable
from registry.artifacts.probe import Probe, Prober, load
from registry.artifacts.report import READY, Rejected, Report
from registry.artifacts.runtime_errors import is_memory, needs_memory, short
from registry.artifacts.zipmap import Label

Send = Callable[[dict[str, Any]], None]
_PAGE = resource.getpagesize()

_DAMAGED = Rejected(
    "damaged_file",
    "The file is not a complete ONNX model: it is cut off or damaged. Copy or export it again, then upload it again.",
)


_LOCALE = Rejected(
    "locale_missing",
    "The model changes texts by the rules of a language that this server does not have installed. Export it with "
    'locale="C", or ask an operator to install that locale, which most often is en_US.UTF-8.',
)


class Examination:
    """`model` is the open model with its data files, `statm` the open /proc/self/statm or None."""

    def __init__(self, model: OpenModel, limits: Limits, statm: int | None, send: Send) -> None:
        self._descriptor = model.main
        self._files = model.data
        self._limits = limits
        self._statm = statm
        self._send = send
        self._steps: list[dict[str, Any]] = []
        self._facts: dict[str, Any] = {}
        self._unused: list[str] = []
        self._labels: dict[str, list[Label]] = {}
        self._at_start = 0

    def report(self) -> Report:
        self._at_start = self._resident()
        try:
            report = self._examine()
        except Rejected as rejected:
            report = Report.rejected(rejected.rejection, facts=self._facts, steps=tuple(self._steps))
        self._facts.setdefault("peak_memory_bytes", self._peak_since_start())
        return report

    def _examine(self) -> Report:
        data = _read(self._descriptor)
        with self._step("lint", "invalid_model"):
            unranked, checked = self._lint(data)
        with self._step("checker", "invalid_model"):
            checker.check_model(checked)
            del checked
        with self._step("load", "load_failed"):
            session = self._load(data)
        with self._step("probe", "probe_failed") as step:
            probe = self._probe(session)
            step["status"] = probe.status
            agreed = contract(session, probe, unranked, self._labels)
        self._note(probe)
        warnings = (*self._unused_files(), *agreed.warnings, *_warnings(probe))
        return Report(READY, signature=agreed.signature, facts=self._facts, warnings=warnings, steps=tuple(self._steps))

    @contextmanager
    def _step(self, name: str, code: str) -> Iterator[dict[str, Any]]:
        """Tells that a step begins, and turns what goes wrong in it into a rejection."""
        self._send({"step": name})
        step: dict[str, Any] = {"name": name, "status": "failed", "seconds": 0.0}
        self._steps.append(step)
        started = time.perf_counter()
        try:
            yield step
        except Rejected:
            raise
        except Exception as error:
            raise _rejected(error, code) from error
        else:
            step["status"] = "ok" if step["status"] == "failed" else step["status"]
        finally:
            step["seconds"] = round(time.perf_counter() - started, 6)

    def _lint(self, data: bytes) -> tuple[set[str], bytes]:
        """The outputs without a shape, and the bytes for the checker."""
        model = onnx.ModelProto.FromString(data)
        self._facts.update(inspect.origin(model))
        sizes = {name: os.fstat(descriptor).st_size for name, descriptor in self._files.items()}
        n_nodes = lint.check(model, self._limits, sizes)
        self._unused = sorted(set(sizes) - set(locations(model, self._limits)))
        self._facts.update(inspect.facts(model, n_nodes, self._limits))
        self._labels = declared_labels(model.graph)
        unranked = outputs_of_unknown_rank(model.graph)
        if self._files:
            model = hollow(model)
        return unranked, model.SerializeToString() if lint.give_ranks(model, self._limits) or self._files else data

    def _load(self, data: bytes) -> onnxruntime.InferenceSession:
        before, started = self._resident(), time.perf_counter()
        session = load(data, mapped(self._files))
        self._facts["load_seconds"] = round(time.perf_counter() - started, 6)
        self._facts["session_memory_bytes"] = max(0, self._resident() - before)
        return session

    def _probe(self, session: onnxruntime.InferenceSession) -> Probe:
        prober, before = Prober(session, self._limits), self._resident()
        probe = prober.look()
        # Taken here, as more rows together need more than the model's own runs do.
        run_bytes = self._facts["run_memory_bytes"] = max(0, self._resident() - before)
        self._facts["peak_memory_bytes"] = self._peak_since_start()
        prober.look_at_joining(probe, run_bytes)
        self._labels.update(prober.labels)
        return probe

    def _note(self, probe: Probe) -> None:
        self._facts["run_seconds"] = None if probe.run_seconds is None else round(probe.run_seconds, 9)
        self._facts["probe"] = probe.status
        self._facts["probe_inputs"] = None if probe.accepted is None else asdict(probe.accepted)
        if self._labels:
            self._facts["labels"] = {readable(name): shown_labels(labels) for name, labels in self._labels.items()}
        for name in ("deterministic", "batch_coupled", "dynamic_batch", "batching"):
            self._facts[name] = getattr(probe, name)
        self._facts.update(verdict(self._facts))

    def _unused_files(self) -> list[dict[str, str]]:
        if not self._unused:
            return []
        names = ", ".join(repr(readable(name)) for name in self._unused[:5])
        return [{"code": "unused_data_file", "message": f"The graph does not name these data files: {names}."}]

    def _peak_since_start(self) -> int:
        return max(0, _peak() - self._at_start)

    def _resident(self) -> int:
        if self._statm is None:
            return _peak()
        return int(os.pread(self._statm, 256, 0).split()[1]) * _PAGE


def warm_up() -> None:
    """Fill the libraries' tables with a model of our own before the first child is forked."""
    edges = [onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, ["N", 4]) for name in "xy"]
    graph = onnx.helper.make_graph([onnx.helper.make_node("Relu", ["x"], ["y"])], "warm", edges[:1], edges[1:])
    opset = onnx.helper.make_opsetid("", 20)
    model = onnx.helper.make_model(graph, opset_imports=[opset], ir_version=10)
    lint.check(model, Limits())
    data = model.SerializeToString()
    checker.check_model(data)
    prober = Prober(load(data), Limits())
    prober.look_at_joining(prober.look(), 0)


def _read(descriptor: int) -> bytes:
    with open(descriptor, "rb", buffering=0, closefd=False) as file:
        return file.readall()


def _peak() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def _rejected(error: Exception, code: str) -> Rejected:
    if is_memory(error):
        return needs_memory()
    if isinstance(error, DecodeError | UnicodeError):
        return _DAMAGED
    text = short(error).rstrip(". ") + "."
    if "construct locale" in text:
        return _LOCALE
    sentences = {
        "invalid_model": f"The model is not valid ONNX: {text} Check it with onnx.checker.check_model, then export it "
        "again.",
        "load_failed": f"The runtime cannot load the model: {text} Load it with onnxruntime on your machine first.",
    }
    return Rejected(code, sentences.get(code, f"The model could not be examined: {text}"))


def _warnings(probe: Probe) -> list[dict[str, str]]:
    found = []
    if probe.status != "ok":
        found.append(("probe_refused", f"The model was not tried out with made-up inputs: {probe.reason}"))
    if probe.deterministic is False:
        found.append(("not_deterministic", "The model gives different answers to the same inputs."))
    if probe.batch_coupled:
        found.append(
            ("batch_coupled", "A row's answer depends on the other rows of its request, so requests are never joined.")
        )
    return [{"code": code, "message": message} for code, message in found]
