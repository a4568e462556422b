"""Has an archive unpacked in the sandbox and stores what comes out. The child's word is untrusted."""

from __future__ import annotations

import signal
from contextlib import closing
from dataclasses import dataclass, field
from typing import Any

from registry.artifacts import errand
from registry.artifacts.bundle import MAX_DATA_FILES, MAX_LEFT_OUT, MAX_NAME, check_name
from registry.artifacts.errand import Errand
from registry.artifacts.incoming import Incoming
from registry.artifacts.limits import GIGABYTE, MAX_MODEL_BYTES, Limits
from registry.artifacts.model_files import ModelFile, OpenModel
from registry.artifacts.report import NotAReport, Rejected, Rejection, parse
from registry.artifacts.store import ArtifactStore

# Weights hardly shrink; what grows more than this is there to fill a disk.
_MAX_RATIO, _FREE_BYTES = 100, 100 << 20
# The longest line is that of the names left out: in JSON a character takes up to 12 bytes, a name four more.
_MAX_LINE = 64 + MAX_LEFT_OUT * (12 * MAX_NAME + 4)
_MAX_CHUNK = 4 << 20
LOST = Rejection("unpacking_lost", "Unpacking this archive ended its worker three times, so it is not taken.")


@dataclass(frozen=True, slots=True)
class Unpacked:
    """`files` has the ONNX file first, and is empty where `rejection` says why; `left_out` are files nobody needs."""

    files: tuple[ModelFile, ...] = ()
    left_out: tuple[str, ...] = ()
    rejection: Rejection | None = None


def unpack(archive: OpenModel, kind: str, store: ArtifactStore, *, limit: int) -> Unpacked:
    """`limit` is what the files may have together. Raises Unavailable without a sandbox, or on a full disk."""
    limits = _limits(archive.size, limit)
    with closing(errand.run(Errand(archive, limits, kind), lambda: _Unpacking(store, limits))) as heard:
        return heard.result()


def _limits(size: int, limit: int) -> Limits:
    """It holds the ONNX file, and what it parses to, at once; the rest passes through. Writing takes its time."""
    allowed = min(limit, _MAX_RATIO * size + _FREE_BYTES)
    memory = GIGABYTE + 3 * min(allowed, MAX_MODEL_BYTES)
    return Limits(
        wall_seconds=300.0, cpu_seconds=120, memory_bytes=memory, memory_per_file_byte=0, unpacked_bytes=allowed
    )


@dataclass(slots=True)
class _Unpacking:
    """What child and zygote say (`registry/artifacts/extract.py`), and the files that grow out of it."""

    store: ArtifactStore
    limits: Limits
    broken: bool = False
    verdict: dict[str, Any] | None = None
    files: list[ModelFile] = field(default_factory=list)
    left_out: tuple[str, ...] | None = None
    rejection: Rejection | None = None
    _line: bytearray = field(default_factory=bytearray)
    _due: int = 0
    _total: int = 0
    _growing: dict[str, Incoming] = field(default_factory=dict)

    def hear(self, data: bytes) -> None:
        """What goes wrong with the disk is raised."""
        try:
            while data and not self.broken:
                data = self._take(data)
        except (ValueError, TypeError, KeyError, RecursionError, Rejected):
            self.broken = True

    def close(self) -> None:
        for incoming in self._growing.values():
            incoming.discard()

    def result(self) -> Unpacked:
        verdict = self.verdict or {}
        ended_well = not self.broken and verdict.get("exit") == 0 and verdict.get("signal") == 0
        if ended_well and self.rejection is not None:
            return Unpacked(rejection=self.rejection)
        if ended_well and self.left_out is not None and self.files:
            return Unpacked(tuple(self.files), self.left_out)
        return Unpacked(rejection=_death(verdict))

    def _take(self, data: bytes) -> bytes:
        """What is left of `data` after one piece of it."""
        if self._due:
            chunk, rest = data[: self._due], data[self._due :]
            self._due -= len(chunk)
            self._write(chunk)
            return rest
        line, newline, rest = data.partition(b"\n")
        self._line += line
        if len(self._line) > _MAX_LINE:
            raise NotAReport("line")
        if newline:
            message, self._line = parse(bytes(self._line)), bytearray()
            self._obey(message)
        return rest

    def _obey(self, message: Any) -> None:
        if not isinstance(message, dict):
            raise NotAReport("not an object")
        ((word, value),) = (item for item in message.items() if item[0] in self._words)
        if self.left_out is not None or self.rejection is not None:
            raise NotAReport("after the end")
        self._words[word](self, value, message)

    def _begin(self, name: Any, message: dict[str, Any]) -> None:
        if name in self._growing or len(self._growing) > MAX_DATA_FILES:
            raise NotAReport("file")
        self._growing[check_name(name)] = self.store.begin(limit=self.limits.unpacked_bytes)

    def _expect(self, length: Any, message: dict[str, Any]) -> None:
        if type(length) is not int or not 0 < length <= _MAX_CHUNK or not self._growing:
            raise NotAReport("chunk")
        self._total += length
        if self._total > self.limits.unpacked_bytes:
            raise NotAReport("too much")
        self._due = length

    def _write(self, chunk: bytes) -> None:
        """To the file that was begun last."""
        self._growing[next(reversed(self._growing))].write(chunk)

    def _done(self, names: Any, message: dict[str, Any]) -> None:
        """Nothing is stored before everything has come."""
        if len(names) > MAX_LEFT_OUT:
            raise NotAReport("names")
        left_out = tuple(check_name(name) for name in names)
        for name, incoming in self._growing.items():
            blob = self.store.adopt(incoming)
            self.files.append(ModelFile(name, blob.sha256, blob.size))
        self.left_out = left_out

    def _refuse(self, rejection: Any, message: dict[str, Any]) -> None:
        code, text = rejection["code"], rejection["message"]
        if not (isinstance(code, str) and isinstance(text, str) and len(code) <= 64 and len(text) <= 1_000):
            raise NotAReport("rejection")
        self.rejection = Rejection(code, text)

    _words = {"file": _begin, "chunk": _expect, "done": _done, "rejected": _refuse}


def _death(verdict: dict[str, Any]) -> Rejection:
    if verdict.get("timed_out") or verdict.get("signal") == signal.SIGXCPU:
        return Rejection(
            "unpacking_timeout",
            "Unpacking the archive took too long. Pack it as a .tar, or upload its files one by one.",
        )
    if verdict.get("exit") == 2 or verdict.get("signal") == signal.SIGKILL:
        return Rejection(
            "needs_too_much_memory",
            "Unpacking the archive needs more memory than the server gives it. Keep the weights in data files beside a "
            "small model.onnx.",
        )
    return Rejection("damaged_archive", "The archive could not be unpacked. Pack it again, then upload it again.")
