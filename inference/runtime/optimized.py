"""Graphs as ONNX Runtime rearranges them for this processor, kept on disk because they load faster than the originals.

Measured on 2 cores, ONNX Runtime 1.31: a 54 MB convolution net loads in 10 ms instead of 86, transformers of 40 MB in
25 instead of 32 to 47, tree ensembles no faster. Made by the process that serves, never by the one that examines
uploads. Whatever is wrong with a kept graph, the original is loaded.
"""

from __future__ import annotations

import hashlib
import os
import platform
import secrets
from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import cache
from pathlib import Path
from time import perf_counter
from typing import Any, Protocol

import onnxruntime as ort
import orjson

from inference.runtime.opening import Opener, opener_of
from inference.runtime.session import ModelSession, load_session
from inference.runtime.warmup import guesses, is_harmless
from portal.lib.errors import PortalError, Unavailable
from registry.artifacts.feeds import Guess, feed, identical
from registry.artifacts.model_files import OpenModel
from registry.artifacts.signature import Signature

# Smaller ones load in a moment; larger ones would be in memory three times while they are compared.
MIN_BYTES = 4 << 20
MAX_BYTES = 512 << 20
# A kept graph must load in this part of the original's time.
WORTH = 0.7


class GraphSeals(Protocol):
    """Proves that a kept graph is one that this installation made of that original."""

    def seal(self, original: str, kept: str) -> dict[str, Any]:
        """Both are digests."""

    def holds(self, original: str, kept: str, seal: Mapping[str, Any]) -> bool: ...


class OptimizedGraphs:
    """A folder of them, by the original's digest. For the CPU provider only. Safe for many processes."""

    def __init__(
        self,
        folder: Path,
        limit_bytes: int,
        *,
        seals: GraphSeals | None = None,
        min_bytes: int = MIN_BYTES,
        worth: float = WORTH,
    ) -> None:
        """Without `seals` kept graphs are taken as they are."""
        self._folder = folder
        self._seals = seals
        self._limit_bytes = limit_bytes
        self._min_bytes = min_bytes
        self._worth = worth

    def load(self, source: str | Path | Opener, sha256: str, signature: Signature, *, threads: int = 1) -> ModelSession:
        """From the kept graph, or from the original. Raises Unavailable (`model_not_loadable`), and what opening it
        raises."""
        kept = self._kept(sha256)
        if _size(kept) > 0:
            with suppress(Unavailable, OSError), opener_of(kept)() as model:
                if self._is_ours(model, kept, sha256):
                    session = load_session(model, signature, threads=threads, tune=_as_it_is)
                    os.utime(kept)
                    return session
            _drop(kept)
        return load_session(source, signature, threads=threads)

    def keep(self, source: str | Path | Opener, sha256: str, signature: Signature, facts: Mapping[str, Any]) -> bool:
        """Make and keep the graph, unless that was tried before. True when there is one now. Never raises.

        It loads the version three times and runs it: this is for a quiet moment, in a thread of its own. What gains too
        little, or answers differently in the last bit, leaves an empty file so that nobody tries again.
        """
        kept = self._kept(sha256)
        if not is_harmless(facts) or facts.get("deterministic") is False:
            return False
        if kept.exists():
            return _size(kept) > 0
        try:
            with opener_of(source)() as model:
                return self._min_bytes <= model.size <= MAX_BYTES and self._keep(model, sha256, signature, facts)
        except (PortalError, OSError, MemoryError):
            return False

    def _keep(self, model: OpenModel, sha256: str, signature: Signature, facts: Mapping[str, Any]) -> bool:
        kept = self._kept(sha256)
        draft = self._folder / f"{secrets.token_hex(8)}.draft"
        try:
            self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            self._make(model, draft, signature, facts)
            self._seal(draft, kept, sha256)
            _put(draft, kept)
            self._sweep(kept)
        finally:
            _drop(draft)
        return _size(kept) > 0

    def _kept(self, sha256: str) -> Path:
        return self._folder / f"{sha256}-{_machine()}.onnx"

    def _seal(self, draft: Path, kept: Path, original: str) -> None:
        """Before the graph takes its place. A graph that another process has just put there keeps a seal of its own."""
        if self._seals is None:
            return
        digest, seal = _digest(draft), draft.with_suffix(".seal")
        try:
            seal.write_bytes(orjson.dumps(self._seals.seal(original, digest)))
            _put(seal, _seal_of(kept, digest))
        finally:
            _drop(seal)

    def _is_ours(self, model: OpenModel, kept: Path, original: str) -> bool:
        if self._seals is None:
            return True
        digest = _digest(Path(model.path))
        try:
            seal = orjson.loads(_seal_of(kept, digest).read_bytes())
        except (OSError, ValueError):
            seal = {}
        return self._seals.holds(original, digest, seal if isinstance(seal, dict) else {})

    def _make(self, model: OpenModel, draft: Path, signature: Signature, facts: Mapping[str, Any]) -> None:
        """The draft is empty when it is not worth keeping."""
        load_session(model, signature, tune=_saved_to(draft)).close()
        original, seconds = _timed(lambda: load_session(model, signature))
        optimized, fewer = _timed(lambda: load_session(draft, signature, tune=_as_it_is))
        if fewer > seconds * self._worth or not same_answers(original, optimized, facts):
            draft.write_bytes(b"")

    def _sweep(self, spared: Path) -> None:
        """Those that were not loaded for longest go first."""
        files = sorted((path for path in self._folder.glob("*.onnx") if path != spared), key=_last_used)
        used = _size(spared) + sum(_size(path) for path in files)
        for path in files:
            if used <= self._limit_bytes:
                return
            used -= _size(path)
            _drop(path)
            for seal in self._folder.glob(f"{path.name}.*.seal"):
                _drop(seal)


def same_answers(original: ModelSession, optimized: ModelSession, facts: Mapping[str, Any]) -> bool:
    """Bit by bit, to the inputs that validation had accepted, and to random ones where the model takes them."""
    slots, compared = original.slots(), 0
    accepted = next(iter(guesses(facts.get("probe_inputs"))), None)
    for guess in () if accepted is None else (accepted, Guess("random", accepted.free)):
        inputs = feed(slots, guess, 1)
        try:
            expected = original.run(inputs)
        except PortalError:
            continue
        found = optimized.run(inputs)
        if not all(identical(a, b) for a, b in zip(expected, found, strict=True)):
            return False
        compared += 1
    return compared > 0


def _saved_to(draft: Path) -> Callable[[ort.SessionOptions], None]:
    def tune(options: ort.SessionOptions) -> None:
        options.optimized_model_filepath = str(draft)

    return tune


def _as_it_is(options: ort.SessionOptions) -> None:
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL


def _seal_of(kept: Path, digest: str) -> Path:
    """The name says of which bytes it is, so that no graph ever stands beside the seal of another."""
    return kept.with_name(f"{kept.name}.{digest}.seal")


def _drop(path: Path) -> None:
    with suppress(OSError):
        path.unlink()


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _put(draft: Path, kept: Path) -> None:
    """On disk before it has its name: half a file could hold zeros for weights and still load."""
    with draft.open("rb") as file:
        os.fsync(file.fileno())
    os.replace(draft, kept)


def _timed(load: Callable[[], ModelSession]) -> tuple[ModelSession, float]:
    started = perf_counter()
    return load(), perf_counter() - started


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0


def _last_used(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except OSError:
        return 0.0


@cache
def _machine() -> str:
    """Of what a rearranged graph depends on: the release of ONNX Runtime and the processor's kind and abilities."""
    parts = [ort.__version__, platform.machine()]
    with suppress(OSError):
        lines = Path("/proc/cpuinfo").read_text(errors="replace").split("\n\n")[0].splitlines()
        parts += [line for line in lines if line.startswith(("model name", "flags", "Features", "CPU part"))]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:16]
