"""Files encrypted at rest. Each has a key of its own, which lies in its header, wrapped by a key of the installation.

After the header come chunks of one megabyte, the last one shorter, each sealed by AES-256-GCM. A chunk's nonce holds
its number and whether it is the last, so that none can be moved, dropped or taken from another file; the header is
bound to the digest of the plain bytes. A new key of the installation changes the header only.
"""

from __future__ import annotations

import hashlib
import io
import os
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, NamedTuple

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from portal.lib.errors import Unavailable

# Random, so that no file of another kind begins with it. Its last byte is the format's number.
MAGIC = bytes.fromhex("d3519c07e2b84af6a1c50b7e934f2d01")
CHUNK = 1 << 20
_TAG = 16
_HEADER = struct.Struct(">16s8s12s48s7s5x")
HEADER_BYTES = _HEADER.size
KEY_BYTES = 32


class Keyring:
    """Keys of the installation, 32 bytes each. The first wraps; the others only unwrap what they once wrapped."""

    def __init__(self, keys: list[bytes]) -> None:
        """Raises ValueError for a key of another length."""
        if any(len(key) != KEY_BYTES for key in keys):
            raise ValueError(f"a key has {KEY_BYTES} bytes")
        self._keys = {key_id(key): key for key in keys}
        self.current = key_id(keys[0]) if keys else None

    def __bool__(self) -> bool:
        return self.current is not None

    def __len__(self) -> int:
        return len(self._keys)

    def knows(self, identity: bytes) -> bool:
        return identity in self._keys

    def wrap(self, data_key: bytes, prefix: bytes, sha256: str) -> bytes:
        """The header of a file whose plain bytes have that digest."""
        assert self.current is not None
        nonce = os.urandom(12)
        wrapped = AESGCM(self._keys[self.current]).encrypt(nonce, data_key, _bound(self.current, prefix, sha256))
        return _HEADER.pack(MAGIC, self.current, nonce, wrapped, prefix)

    def unwrap(self, header: Header, sha256: str) -> bytes:
        """The file's own key. Raises Unavailable (`encryption_key_missing`, `artifact_tampered`)."""
        key = self._keys.get(header.key_id)
        if key is None:
            raise _no_key()
        try:
            return AESGCM(key).decrypt(header.nonce, header.wrapped, _bound(header.key_id, header.prefix, sha256))
        except InvalidTag:
            raise broken() from None


class Header(NamedTuple):
    key_id: bytes
    nonce: bytes
    wrapped: bytes
    prefix: bytes


def key_id(key: bytes) -> bytes:
    """Eight bytes by which a header says which key it needs; they tell nothing of the key."""
    return hashlib.sha256(b"slipway-key-id\n" + key).digest()[:8]


def _bound(identity: bytes, prefix: bytes, sha256: str) -> bytes:
    return MAGIC + identity + prefix + sha256.encode()


def _nonce(prefix: bytes, number: int, *, is_last: bool) -> bytes:
    return prefix + struct.pack(">IB", number, is_last)


def read_header(file: BinaryIO) -> Header | None:
    """None for a file that is not encrypted; the file is then at its beginning again."""
    data = file.read(HEADER_BYTES)
    if data[: len(MAGIC)] != MAGIC:
        file.seek(0)
        return None
    if len(data) < HEADER_BYTES:
        raise broken()
    return Header(*_HEADER.unpack(data)[1:])


class Encryptor:
    """Writes to `file` what is pushed, in constant memory."""

    def __init__(self, file: BinaryIO, keys: Keyring) -> None:
        self._file, self._keys = file, keys
        self._key, self._prefix = os.urandom(KEY_BYTES), os.urandom(7)
        self._cipher = AESGCM(self._key)
        self._held = bytearray()
        self._number = 0
        file.write(bytes(HEADER_BYTES))

    def write(self, data: bytes) -> None:
        self._held += data
        # What may be the last chunk is held back.
        while len(self._held) > CHUNK:
            self._put(bytes(self._held[:CHUNK]), is_last=False)
            del self._held[:CHUNK]

    def finish(self, sha256: str) -> None:
        """The header comes last, as only now the digest is known."""
        self._put(bytes(self._held), is_last=True)
        self._file.seek(0)
        self._file.write(self._keys.wrap(self._key, self._prefix, sha256))

    def _put(self, chunk: bytes, *, is_last: bool) -> None:
        self._file.write(self._cipher.encrypt(_nonce(self._prefix, self._number, is_last=is_last), chunk, None))
        self._number += 1


class Decrypted(io.RawIOBase):
    """The plain bytes of an encrypted file, read as they are asked for; any place can be sought.

    Reading raises Unavailable (`artifact_tampered`) at the first chunk that is not what was written.
    """

    def __init__(self, file: BinaryIO, header: Header, sha256: str, keys: Keyring) -> None:
        """`file` is closed with this one."""
        self._file, self._prefix = file, header.prefix
        self._cipher = AESGCM(keys.unwrap(header, sha256))
        self.size, self._n_chunks = _extent(os.fstat(file.fileno()).st_size)
        self._at, self._number, self._chunk = 0, -1, b""

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._at

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        start = {os.SEEK_SET: 0, os.SEEK_CUR: self._at, os.SEEK_END: self.size}[whence]
        self._at = max(0, start + offset)
        return self._at

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        number, offset = divmod(self._at, CHUNK)
        if self._at >= self.size and not (self.size == 0 and self._number < 0):
            return 0
        part = self._chunk_at(number)[offset : offset + len(buffer)]
        buffer[: len(part)] = part
        self._at += len(part)
        return len(part)

    def close(self) -> None:
        self._file.close()
        super().close()

    def _chunk_at(self, number: int) -> bytes:
        if number != self._number:
            self._file.seek(HEADER_BYTES + number * (CHUNK + _TAG))
            data = self._file.read(CHUNK + _TAG)
            is_last = number == self._n_chunks - 1
            try:
                self._chunk = self._cipher.decrypt(_nonce(self._prefix, number, is_last=is_last), data, None)
            except InvalidTag:
                raise broken() from None
            self._number = number
        return self._chunk


def _extent(n_bytes: int) -> tuple[int, int]:
    """Plain bytes and chunks of an encrypted file of that many bytes. Raises Unavailable where no file has so many."""
    body = n_bytes - HEADER_BYTES
    n_chunks = -(-body // (CHUNK + _TAG))
    last = body - (n_chunks - 1) * (CHUNK + _TAG)
    if n_chunks < 1 or last < _TAG or (last == _TAG and n_chunks > 1):
        raise broken()
    return body - n_chunks * _TAG, n_chunks


def plain_size(path: Path) -> int:
    """Bytes of the content, encrypted or not. Raises FileNotFoundError, or Unavailable (`artifact_tampered`)."""
    with path.open("rb") as file:
        encrypted = read_header(file) is not None
        size = os.fstat(file.fileno()).st_size
    return _extent(size)[0] if encrypted else size


def pieces(file: BinaryIO) -> Iterator[bytes]:
    while data := file.read(CHUNK):
        yield data


def rewrap(path: Path, sha256: str, keys: Keyring) -> str:
    """`plain`, `current` where nothing was to do, or `rewrapped`. The header lies in one sector and is written at once.

    Raises Unavailable (`encryption_key_missing`, `artifact_tampered`) and leaves the file as it is.
    """
    with path.open("r+b", buffering=0) as file:
        header = read_header(file)
        if header is None:
            return "plain"
        data_key = keys.unwrap(header, sha256)
        if header.key_id == keys.current:
            return "current"
        os.pwrite(file.fileno(), keys.wrap(data_key, header.prefix, sha256), 0)
        os.fsync(file.fileno())
    return "rewrapped"


def broken() -> Unavailable:
    return Unavailable(
        "The stored bytes are not those that were stored, so they are not used; upload the file again.",
        code="artifact_tampered",
    )


def _no_key() -> Unavailable:
    return Unavailable(
        "This file is encrypted with a key that the server does not have: ask an operator for PORTAL_ENCRYPTION_KEY.",
        code="encryption_key_missing",
    )
