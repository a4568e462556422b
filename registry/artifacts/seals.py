"""Ed25519 signatures over a version's digest: the portal's own, called a seal, and an uploader's.

A seal is about one version: it names the model's id and the version's number under `subject`, as in-toto statements do,
so that it cannot stand with another version.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_public_key

from registry.artifacts.model_files import Subject

KEY_BYTES = 32
# What a signature is for is part of what is signed, so that none can stand for another.
_BY_PORTAL = b"slipway-seal-v1\n"
_BY_UPLOADER = b"slipway-artifact-v1\n"
# Keys under which other facts stand in a seal, signed with the digest.
SIGNATURE, KEY, SUBJECT = "signature", "key", "subject"
# So many checks of the same seal are remembered; one is about a kilobyte.
_REMEMBERED = 4096


class Tampered(Exception):
    """Something is not what was registered; the text says what, for the log."""


class Signer:
    """The portal's private key."""

    def __init__(self, seed: bytes) -> None:
        """32 bytes. Raises ValueError for another number."""
        self._key = Ed25519PrivateKey.from_private_bytes(seed)
        self.public = raw(self._key.public_key())
        self.fingerprint = fingerprint(self.public)

    def seal(self, sha256: str, facts: Mapping[str, Any], subject: Subject | None = None) -> dict[str, Any]:
        """`facts` are signed with the digest; JSON, and no floats, which not every store keeps to the last bit.

        Without `subject` it is no version's: what the portal has made itself.
        """
        about = {} if subject is None else {SUBJECT: subject._asdict()}
        named = {**facts, **about, KEY: self.fingerprint}
        return {**named, SIGNATURE: base64.b64encode(self._key.sign(_sealed(sha256, named))).decode()}


def check_seal(keys: Mapping[str, bytes], sha256: str, seal: Mapping[str, Any], subject: Subject | None = None) -> None:
    """`keys` are the public keys that are trusted, by fingerprint; `subject` is the version with which the seal was
    found. Raises Tampered.
    """
    public = keys.get(str(seal.get(KEY)))
    if public is None:
        raise Tampered("the seal's key is not one of the portal's")
    facts = {name: value for name, value in seal.items() if name != SIGNATURE}
    if not _held(public, str(seal.get(SIGNATURE)), _sealed(sha256, facts)):
        raise Tampered("the seal")
    if facts.get(SUBJECT) != (None if subject is None else subject._asdict()):
        raise Tampered("the seal is another version's")


def uploader_message(sha256: str) -> bytes:
    """What an uploader signs, of the digest in lower-case hexadecimal."""
    return _BY_UPLOADER + sha256.encode()


def uploader_signature_holds(public: bytes, sha256: str, signature: object) -> bool:
    return _holds(public, signature, uploader_message(sha256))


def fingerprint(public: bytes) -> str:
    """SHA-256 of the 32 bytes of a public key, in hexadecimal."""
    return hashlib.sha256(public).hexdigest()


def parse_key(text: str) -> bytes:
    """The 32 bytes of a key that stands there in base64. Raises ValueError."""
    plain = text.strip().rstrip("=").replace("-", "+").replace("_", "/")
    try:
        key = base64.b64decode(plain + "=" * (-len(plain) % 4), validate=True)
    except binascii.Error as error:
        raise ValueError("not base64") from error
    if len(key) != KEY_BYTES:
        raise ValueError(f"{len(key)} bytes instead of {KEY_BYTES}")
    return key


def parse_public_key(text: str) -> bytes:
    """Of PEM, or of base64. Raises ValueError where it is no Ed25519 public key."""
    if "-----BEGIN PRIVATE" in text:
        raise ValueError("a private key")
    if "-----BEGIN" not in text:
        return parse_key(text)
    try:
        key = load_pem_public_key(text.strip().encode("ascii", "replace"))
    except Exception as error:
        raise ValueError("not a public key") from error
    if not isinstance(key, Ed25519PublicKey):
        raise ValueError("not an Ed25519 key")
    return raw(key)


def raw(key: Ed25519PublicKey) -> bytes:
    return key.public_bytes(Encoding.Raw, PublicFormat.Raw)


def _sealed(sha256: str, facts: Mapping[str, Any]) -> bytes:
    text = json.dumps({**facts, "sha256": sha256}, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return _BY_PORTAL + text.encode()


@lru_cache(_REMEMBERED)
def _held(public: bytes, signature: str, message: bytes) -> bool:
    """The same three have the same answer for ever: which keys are trusted is asked each time."""
    return _holds(public, signature, message)


def _holds(public: bytes, signature: object, message: bytes) -> bool:
    try:
        given = base64.b64decode(signature, validate=True) if isinstance(signature, str) else b""
        Ed25519PublicKey.from_public_bytes(public).verify(given, message)
    except (InvalidSignature, ValueError):
        return False
    return True
