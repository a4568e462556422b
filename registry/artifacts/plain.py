"""Reads a stored file's plain bytes, whether they lie so or encrypted."""

from __future__ import annotations

import io
from pathlib import Path

from registry.artifacts.encryption import Decrypted, Keyring, read_header


def open_plain(path: Path, sha256: str, keys: Keyring) -> io.BufferedReader:
    """Raises FileNotFoundError, or Unavailable (`artifact_tampered`, `encryption_key_missing`)."""
    file = path.open("rb")
    try:
        header = read_header(file)
        return file if header is None else io.BufferedReader(Decrypted(file, header, sha256, keys), 1 << 16)
    except BaseException:
        file.close()
        raise


def is_plain(file: io.BufferedReader) -> bool:
    """Of what `open_plain` returned: whether the bytes on the disk are these."""
    return isinstance(file.raw, io.FileIO)
