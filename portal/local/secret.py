"""Secrets that this installation makes for itself and keeps in its data folder."""

from __future__ import annotations

import os
import secrets
from pathlib import Path


def read_or_create(path: Path, n_bytes: int = 48) -> str:
    """The secret kept at `path` (mode 0600): random bytes in base64 that fits a URL. Processes that start together all
    get the same one."""
    try:
        return _read(path)
    except FileNotFoundError:
        path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.{os.getpid()}.{secrets.token_hex(4)}")
    handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "w", encoding="ascii") as file:
        file.write(secrets.token_urlsafe(n_bytes) + "\n")
        file.flush()
        os.fsync(file.fileno())
    try:
        os.link(draft, path)  # unlike rename, link never replaces the secret of a faster process
    except FileExistsError:
        pass
    finally:
        draft.unlink()
    return _read(path)


def _read(path: Path) -> str:
    secret = path.read_text(encoding="ascii").strip()
    if len(secret) < 32:
        raise ValueError(f"{path} holds no usable secret. Delete the file to have a new one made; sessions then end.")
    return secret
