"""The files that a version is made of. One ONNX file has the version's own digest; a bundle has a list of files.

A bundle is what exporters write when the weights lie beside the graph (ONNX "external data"): `model.onnx` first, then
the data files under the names by which the graph refers to them.
"""

from __future__ import annotations

import hashlib
import json
import mmap
import os
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

_BY_DESCRIPTOR = "/proc/self/fd" if sys.platform == "linux" else "/dev/fd"


class ModelFile(NamedTuple):
    """`name` is that of the external data inside the graph; the bytes lie in the store under `sha256`."""

    name: str
    sha256: str
    size: int


class Subject(NamedTuple):
    """The version that a seal is about: its model's id, which stays when the model is renamed, and its number."""

    model: int
    version: int


@dataclass(frozen=True, slots=True)
class Artifact:
    """All that is needed to find a version's bytes and to prove them. A single file has an empty `files`.

    `subject` is the version that it claims to be; None before there is one.
    """

    sha256: str
    files: tuple[ModelFile, ...] = ()
    seal: Mapping[str, Any] = field(default_factory=dict, compare=False)
    subject: Subject | None = field(default=None, compare=False)

    @property
    def main(self) -> str:
        """The digest of the ONNX file itself."""
        return self.files[0].sha256 if self.files else self.sha256

    @property
    def data(self) -> tuple[ModelFile, ...]:
        return self.files[1:]

    @property
    def digests(self) -> list[str]:
        """Of all blobs that it needs in the store."""
        return [item.sha256 for item in self.files] or [self.sha256]


class OpenModel(NamedTuple):
    """A version's files, open for reading and proven. The descriptors are closed by whoever opened them.

    Descriptors and not paths, as what is encrypted on disk is open in memory only.
    """

    main: int
    data: dict[str, int]

    @property
    def path(self) -> str:
        """By which this process can open the ONNX file again."""
        return f"{_BY_DESCRIPTOR}/{self.main}"

    @property
    def size(self) -> int:
        """Bytes of all its files."""
        return sum(os.fstat(descriptor).st_size for descriptor in (self.main, *self.data.values()))

    def close(self) -> None:
        for descriptor in (self.main, *self.data.values()):
            os.close(descriptor)


def mapped(data: Mapping[str, int]) -> dict[str, mmap.mmap | bytes]:
    """The files' content by name, read from the disk as it is touched. What is empty cannot be mapped."""
    found: dict[str, mmap.mmap | bytes] = {}
    for name, descriptor in data.items():
        size = os.fstat(descriptor).st_size
        found[name] = mmap.mmap(descriptor, size, access=mmap.ACCESS_READ) if size else b""
    return found


def bundle_digest(files: Iterable[ModelFile]) -> str:
    """SHA-256 over the list of names, digests and sizes as JSON without spaces, so that it covers every byte."""
    rows = [[item.name, item.sha256, item.size] for item in files]
    return hashlib.sha256(json.dumps(rows, separators=(",", ":"), ensure_ascii=True).encode()).hexdigest()


def files_from_json(rows: Iterable[Mapping[str, Any]]) -> tuple[ModelFile, ...]:
    return tuple(ModelFile(str(row["name"]), str(row["sha256"]), int(row["size"])) for row in rows)


def files_as_json(files: Iterable[ModelFile]) -> list[dict[str, Any]]:
    return [item._asdict() for item in files]
