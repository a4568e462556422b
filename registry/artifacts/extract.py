"""Takes a model and the data files that it names out of an archive. Runs in the sandbox child only.

What it sends: lines of JSON, each chunk of bytes behind the line that says its length. `{"file": name}`
begins a file, `{"chunk": n}` comes before n bytes of it; at the end stands `{"done": [names left out]}`, or
`{"rejected": {"code", "message"}}`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import IO, Any

import onnx
from google.protobuf.message import DecodeError  # type: ignore[import-untyped]

from registry.artifacts import archives, bundle
from registry.artifacts.archives import Archive, Entry
from registry.artifacts.external import locations
from registry.artifacts.incoming import HEAD_BYTES
from registry.artifacts.limits import Limits
from registry.artifacts.report import Rejected
from registry.artifacts.sniff import sniff

Send = Callable[[dict[str, Any]], None]
Write = Callable[[bytes], None]


class Extraction:
    """`limits.unpacked_bytes` is what all that is sent may have together."""

    def __init__(self, limits: Limits, send: Send, write: Write) -> None:
        self._limits = limits
        self._send = send
        self._write = write

    def run(self, file: IO[bytes], kind: str) -> None:
        try:
            with archives.opened(file, kind) as archive:
                left_out = self._extract(archive)
        except Rejected as rejected:
            self._send({"rejected": {"code": rejected.rejection.code, "message": rejected.rejection.message}})
        else:
            self._send({"done": left_out})

    def _extract(self, archive: Archive) -> list[str]:
        """The names of the files that the model does not need."""
        found = archives.listed(archive)
        folder = bundle.common_folder(found)
        files = {path.removeprefix(folder): entry for path, entry in found.items()}
        main = bundle.the_model(files)
        check_sizes([files[main]], self._limits)
        model = b"".join(archives.chunks(archive, files[main]))
        needed = _named_by(model, self._limits)
        for name in needed:
            if name not in files or name == main:
                raise bundle.missing_file(name, set(files) - {main})
        check_sizes([files[name] for name in (main, *needed)], self._limits)
        self._send_file(main, _pieces(model))
        for name in needed:
            self._send_file(name, archives.chunks(archive, files[name]))
        return sorted(set(files) - {main, *needed})[: bundle.MAX_LEFT_OUT]

    def _send_file(self, name: str, chunks: Iterable[bytes]) -> None:
        self._send({"file": name})
        for chunk in chunks:
            self._send({"chunk": len(chunk)})
            self._write(chunk)


def check_sizes(entries: Iterable[Entry], limits: Limits) -> None:
    if sum(entry.size for entry in entries) > limits.unpacked_bytes:
        raise Rejected(
            "archive_too_large",
            f"Unpacked, the archive is larger than the {limits.unpacked_bytes >> 20:,} MB that are taken for one of "
            "its size. Upload the files one by one as a bundle, or make the model smaller.",
        )


def _named_by(model: bytes, limits: Limits) -> list[str]:
    rejection = sniff(model[:HEAD_BYTES], len(model))
    if rejection is not None:
        raise Rejected(rejection.code, rejection.message)
    try:
        return locations(onnx.ModelProto.FromString(model), limits)
    except (DecodeError, UnicodeError):
        raise Rejected(
            "damaged_file",
            "The model in the archive is cut off or damaged. Copy or export it again, then pack it again.",
        ) from None


def _pieces(data: bytes) -> Iterator[bytes]:
    view = memoryview(data)
    for start in range(0, len(view), archives.CHUNK):
        yield bytes(view[start : start + archives.CHUNK])
