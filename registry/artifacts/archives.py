"""Reads .zip and .tar files, which are untrusted. Runs in the sandbox child only."""

from __future__ import annotations

import stat
import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO, NamedTuple, Protocol

from registry.artifacts.bundle import MAX_ENTRIES, check_name, is_clutter
from registry.artifacts.names import readable
from registry.artifacts.report import Rejected

CHUNK = 1 << 20
_KINDS = {stat.S_IFREG, stat.S_IFDIR, 0}
_DAMAGE = (zipfile.BadZipFile, tarfile.TarError, zlib.error, EOFError, OSError, ValueError, IndexError, KeyError)


class Entry(NamedTuple):
    """A file that the archive lists; `size` is what the archive says, which is not yet known to be true."""

    path: str
    size: int


class Archive(Protocol):
    def entries(self) -> Iterator[Entry]: ...
    def open(self, path: str) -> IO[bytes]: ...


class Zip:
    def __init__(self, file: IO[bytes]) -> None:
        self._zip = zipfile.ZipFile(file)

    def entries(self) -> Iterator[Entry]:
        for item in self._zip.infolist():
            if stat.S_IFMT(item.external_attr >> 16) not in _KINDS:
                raise _special(item.filename)
            if item.flag_bits & 0x1:
                raise Rejected(
                    "encrypted_archive",
                    "The archive is protected by a password. Pack it again without one.",
                )
            # `filename` is cut at a NUL and knows no backslash; what was written counts.
            if not item.is_dir():
                yield Entry(item.orig_filename, item.file_size)

    def open(self, path: str) -> IO[bytes]:
        found = next(item for item in self._zip.infolist() if item.orig_filename == path)
        return self._zip.open(found)


class Tar:
    def __init__(self, file: IO[bytes]) -> None:
        # "r:" takes no compression, so no size is hidden.
        self._tar = tarfile.open(fileobj=file, mode="r:")  # noqa: SIM115  Lives as long as the process.
        self._members: dict[str, tarfile.TarInfo] = {}

    def entries(self) -> Iterator[Entry]:
        for item in self._tar:
            if item.isdir():
                continue
            if not item.isreg() or item.issparse():
                raise _special(item.name)
            self._members[item.name] = item
            yield Entry(item.name, item.size)

    def open(self, path: str) -> IO[bytes]:
        file = self._tar.extractfile(self._members[path])
        assert file is not None
        return file


@contextmanager
def opened(file: IO[bytes], kind: str) -> Iterator[Archive]:
    """`kind` is "zip" or "tar". Whatever is wrong inside becomes Rejected."""
    try:
        yield Zip(file) if kind == "zip" else Tar(file)
    except NotImplementedError:
        raise Rejected(
            "unknown_compression", "The archive uses a compression that is not known here. Pack it as a plain .zip."
        ) from None
    except _DAMAGE:
        raise Rejected(
            "damaged_archive", "The archive is damaged or cut off. Pack it again, then upload it again."
        ) from None


def listed(archive: Archive) -> dict[str, Entry]:
    """The files by the path they are to be known by, before a common folder is taken off. Raises Rejected."""
    found: dict[str, Entry] = {}
    for number, entry in enumerate(archive.entries(), 1):
        if number > MAX_ENTRIES:
            raise Rejected(
                "too_many_files",
                f"The archive holds more than {MAX_ENTRIES:,} files. Pack only model.onnx and its data files.",
            )
        path = check_name(entry.path.removeprefix("./"))
        if path in found:
            raise Rejected(
                "duplicate_file", f"The archive holds {readable(path)!r} twice. Pack each file once, then upload again."
            )
        if not is_clutter(path):
            found[path] = entry
    return found


def chunks(archive: Archive, entry: Entry) -> Iterator[bytes]:
    """Raises Rejected when the archive said another size."""
    size = 0
    with archive.open(entry.path) as file:
        while chunk := file.read(CHUNK):
            size += len(chunk)
            if size > entry.size:
                break
            yield chunk
    if size != entry.size:
        raise Rejected(
            "damaged_archive",
            f"The file {readable(entry.path)!r} is not as long as the archive says. Pack it again, then upload it.",
        )


def _special(path: str) -> Rejected:
    return Rejected(
        "link_in_archive",
        f"The archive holds {readable(path)!r}, which is a link or no plain file. Pack the files themselves.",
    )
