"""Keys to buckets. Documented so that a client can recompute where a key goes:
`int.from_bytes(sha256(f"{salt}:{key}")[:8], "big") % 10000`.
"""

from __future__ import annotations

import secrets
from hashlib import sha256
from random import random

N_BUCKETS = 10_000


def bucket_of(salt: str, key: str) -> int:
    """The bucket, 0 to 9 999, of a routing key under the salt of a split, rollout or experiment."""
    digest = sha256(f"{salt}:{key}".encode("utf-8", "surrogatepass")).digest()
    return int.from_bytes(digest[:8], "big") % N_BUCKETS


def random_bucket() -> int:
    """A bucket for a request without a key."""
    return int(random() * N_BUCKETS)  # noqa: S311  Nobody gains by guessing it.


def new_salt() -> str:
    """16 hexadecimal digits."""
    return secrets.token_hex(8)
