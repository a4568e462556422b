"""Keys to buckets. Documented so that a client can recompute where a key goes:
`int.from_bytes(sha256(f"{salt}:{key}")[:8], "big") % 10000`.
"""

from __future__ import annotations

import secrets
from hashlib import sha256
from random import random

N_BUCKETS = 10_000
_SIGN, _RANGE = 2**63, 2**64


def hash_of(salt: str, key: str) -> int:
    """The first 64 bits of the SHA-256 of salt and key, 0 to 2**64 - 1."""
    digest = sha256(f"{salt}:{key}".encode("utf-8", "surrogatepass")).digest()
    return int.from_bytes(digest[:8], "big")


def bucket_of(salt: str, key: str) -> int:
    """The bucket, 0 to 9 999, of a routing key under the salt of a split, rollout or experiment."""
    return hash_of(salt, key) % N_BUCKETS


def unit_of(hashed: int) -> int:
    """The same 64 bits as a signed number, as PostgreSQL keeps them: how evidence names a key without knowing it."""
    return hashed - _RANGE if hashed >= _SIGN else hashed


def random_bucket() -> int:
    """A bucket for a request without a key."""
    return int(random() * N_BUCKETS)  # noqa: S311  Nobody gains by guessing it.


def new_salt() -> str:
    """16 hexadecimal digits."""
    return secrets.token_hex(8)
