"""The installation's own keys: the one that seals, those that are trusted, and those that encrypt the stores."""

from __future__ import annotations

import base64
import os
from functools import cache, lru_cache
from pathlib import Path

from django.conf import settings

from registry.artifacts.encryption import Keyring
from registry.artifacts.seals import Signer, fingerprint, parse_key


class BadKey(Exception):
    """The text names the setting and says what it should hold."""


def signer() -> Signer:
    """Raises BadKey."""
    return _signer(settings.PORTAL_SIGNING_KEY)


def trusted_keys() -> dict[str, bytes]:
    """Public keys by fingerprint, whose seals count: the present one, those named by the operator, and where the portal
    made its key itself, those it had before. Raises BadKey.
    """
    return {signer().fingerprint: signer().public, **_named(tuple(settings.PORTAL_TRUSTED_SIGNING_KEYS)), **_former()}


def encryption_keys() -> Keyring:
    """Raises BadKey."""
    return _keyring(settings.PORTAL_ENCRYPTION_KEY)


def keyring_path() -> Path:
    """Where public keys stand that a rotation has replaced, one to a line."""
    return Path(settings.DATA_DIR) / "signing_keyring"


def rotate_signing_key() -> tuple[str, str]:
    """The fingerprints of the former key and of the new one, which counts from the next start on.

    Both are trusted before the new one can sign, so that no seal is ever refused for the moment in which it was made.
    """
    path, former, seed = Path(settings.DATA_DIR) / "signing_key", signer(), os.urandom(32)
    new = Signer(seed)
    known = {**_former(), former.fingerprint: former.public, new.fingerprint: new.public}
    _write(keyring_path(), [base64.b64encode(public).decode() for public in known.values()])
    _write(path, [base64.b64encode(seed).decode()])
    return former.fingerprint, new.fingerprint


def _former() -> dict[str, bytes]:
    if settings.PORTAL_SIGNING_KEY_IS_GIVEN:
        return {}
    path = keyring_path()
    try:
        # Every rotation puts another file there.
        found = path.stat()
        return _read(path, found.st_ino, found.st_mtime_ns)
    except FileNotFoundError:
        return {}


@lru_cache(8)
def _read(path: Path, _inode: int, _changed_at: int) -> dict[str, bytes]:
    return _named(tuple(path.read_text(encoding="ascii").split()))


def _write(path: Path, lines: list[str]) -> None:
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="ascii") as file:
        file.write("\n".join(lines) + "\n")
        file.flush()
        os.fsync(file.fileno())
    os.replace(draft, path)


@cache
def _signer(text: str) -> Signer:
    try:
        return Signer(parse_key(text))
    except ValueError as error:
        raise BadKey(f"PORTAL_SIGNING_KEY has to be 32 bytes in base64, but is {error}.") from None


@cache
def _named(lines: tuple[str, ...]) -> dict[str, bytes]:
    try:
        keys = [parse_key(line) for line in lines]
    except ValueError as error:
        raise BadKey(
            f"PORTAL_TRUSTED_SIGNING_KEYS and signing_keyring hold 32 bytes in base64 each; one is {error}."
        ) from None
    return {fingerprint(key): key for key in keys}


@cache
def _keyring(text: str) -> Keyring:
    try:
        return Keyring([parse_key(part) for part in text.replace(",", " ").split()])
    except ValueError as error:
        raise BadKey(f"PORTAL_ENCRYPTION_KEY has to be 32 bytes in base64, but is {error}.") from None
