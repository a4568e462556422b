from __future__ import annotations

import re
from collections import Counter

from inference.routing.buckets import N_BUCKETS, bucket_of, new_salt, random_bucket


def test_bucket_of__documented_formula__exact_values() -> None:
    # Computed with coreutils: printf '%s:%s' salt key | sha256sum | cut -c1-16, as a number, its last four digits.
    assert bucket_of("0123456789abcdef", "alice") == 6522
    assert bucket_of("0123456789abcdef", "bob") == 3858
    assert bucket_of("0123456789abcdef", "") == 1505
    assert bucket_of("fedcba9876543210", "alice") == 2315
    assert bucket_of("0123456789abcdef", "zoë-\u4e2d") == 2833


def test_bucket_of__lone_surrogate__still_a_bucket() -> None:
    assert 0 <= bucket_of("00", "\ud800") < N_BUCKETS


def test_bucket_of__many_keys__spread_evenly() -> None:
    tenths = Counter(bucket_of("a1b2c3d4e5f60718", f"user-{i}") * 10 // N_BUCKETS for i in range(20_000))
    assert set(tenths) == set(range(10))
    assert all(1_800 < count < 2_200 for count in tenths.values())


def test_random_bucket__many__all_in_range() -> None:
    buckets = {random_bucket() for _ in range(5_000)}
    assert len(buckets) > 3_000
    assert all(type(bucket) is int and 0 <= bucket < N_BUCKETS for bucket in buckets)


def test_new_salt__twice__sixteen_fresh_hex_digits() -> None:
    assert re.fullmatch(r"[0-9a-f]{16}", new_salt())
    assert new_salt() != new_salt()
