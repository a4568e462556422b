"""Which variant owns which buckets, and how that changes when the weights do.

A table is a tuple of `BucketRange` that covers 0 to 10 000 exactly once. Its order is history: the arms stand in the
order in which they appeared, and within an arm the ranges stand in the order in which it received them. The arm of the
first entry is the table's *first arm* (usually `stable`). From that order follows who gives what when weights change:

- the first arm gives its highest buckets first;
- every other arm gives what it received last, and of that the lowest buckets first;
- an arm whose weight does not change neither gives nor takes.

So going from one split to another moves exactly as many buckets as the weights differ, growing an arm never takes a
bucket away from it, and shrinking it again returns the buckets of its last growth first.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterable, Sequence
from itertools import chain, pairwise
from typing import Any, NamedTuple

from inference.routing.buckets import N_BUCKETS
from portal.lib.errors import InvalidInput

VARIANT_KEY = re.compile(r"[a-z][a-z0-9-]{0,31}")


class Share(NamedTuple):
    """The wish: this variant gets `weight_bp` of 10 000 basis points."""

    variant: str
    weight_bp: int


class BucketRange(NamedTuple):
    """Buckets `lo` up to, not including, `hi` belong to `variant`."""

    lo: int
    hi: int
    variant: str

    @property
    def size(self) -> int:
        return self.hi - self.lo


Table = tuple[BucketRange, ...]


def check_shares(shares: Sequence[Share]) -> None:
    """Raise InvalidInput unless the shares are whole basis points of distinct variants and sum to 10 000."""
    if not shares:
        raise InvalidInput("A split needs at least one share.", code="no_shares")
    for variant, weight in shares:
        _check_share(variant, weight)
    if len({variant for variant, _ in shares}) != len(shares):
        raise InvalidInput("Each variant may stand in a split only once.", code="duplicate_variant")
    total = sum(weight for _, weight in shares)
    if total != N_BUCKETS:
        raise InvalidInput(
            f"The weights sum to {total} basis points; they must sum to 10 000.",
            code="weights_do_not_sum",
            details={"sum": total, "expected": N_BUCKETS},
        )


def _check_share(variant: Any, weight: Any) -> None:
    if type(variant) is not str or not VARIANT_KEY.fullmatch(variant):
        raise InvalidInput(
            "A variant key is a lower-case letter and then at most 31 lower-case letters, digits and hyphens.",
            code="invalid_variant",
        )
    if type(weight) is not int or not 0 <= weight <= N_BUCKETS:
        raise InvalidInput(
            f"The weight of {variant!r} must be a whole number of basis points from 0 to 10 000.",
            code="invalid_weight",
        )


def new_table(shares: Sequence[Share]) -> Table:
    """The first table of an endpoint: the shares side by side, in their order."""
    check_shares(shares)
    table, lo = [], 0
    for variant, weight in shares:
        if weight:
            table.append(BucketRange(lo, lo + weight, variant))
            lo += weight
    return tuple(table)


def move_table(table: Table, shares: Sequence[Share]) -> Table:
    """The table for new shares that moves as few buckets as possible; see the rules at the top of this module."""
    check_shares(shares)
    wanted = dict(shares)
    arms = _by_arm(table)
    first_arm = next(iter(arms))
    arms[first_arm] = _joined(arms[first_arm])
    freed: list[BucketRange] = []
    for variant, ranges in arms.items():
        surplus = _size(ranges) - wanted.get(variant, 0)
        freed += _give(ranges, surplus, from_top=variant == first_arm)
    for variant, weight in wanted.items():
        ranges = arms.setdefault(variant, [])
        _take(ranges, freed, weight - _size(ranges), variant)
    living = [ranges for ranges in arms.values() if ranges]
    return tuple(chain(_joined(living[0]), *living[1:]))


def _by_arm(table: Iterable[BucketRange]) -> dict[str, list[BucketRange]]:
    arms: dict[str, list[BucketRange]] = {}
    for piece in table:
        arms.setdefault(piece.variant, []).append(piece)
    return arms


def _size(ranges: Iterable[BucketRange]) -> int:
    return sum(piece.size for piece in ranges)


def _joined(ranges: Iterable[BucketRange]) -> list[BucketRange]:
    """The same buckets in ascending order, neighbours made one."""
    joined: list[BucketRange] = []
    for piece in sorted(ranges):
        lo = joined.pop().lo if joined and joined[-1].hi == piece.lo else piece.lo
        joined.append(piece._replace(lo=lo))
    return joined


def _give(ranges: list[BucketRange], count: int, *, from_top: bool) -> list[BucketRange]:
    """Take `count` buckets off the end of `ranges`, in place; returns them in the order in which they left."""
    given = []
    while count > 0:
        lo, hi, variant = ranges.pop()
        cut = min(count, hi - lo)
        count -= cut
        middle = hi - cut if from_top else lo + cut
        low, high = BucketRange(lo, middle, variant), BucketRange(middle, hi, variant)
        gone, kept = (high, low) if from_top else (low, high)
        given.append(gone)
        if kept.size:
            ranges.append(kept)
    return given


def _take(ranges: list[BucketRange], freed: list[BucketRange], count: int, variant: str) -> None:
    """Move `count` buckets from the front of `freed` to the end of `ranges`, both in place, highest first."""
    while count > 0:
        lo, hi, donor = freed.pop(0)
        cut = min(count, hi - lo)
        count -= cut
        if cut < hi - lo:
            freed.insert(0, BucketRange(lo, hi - cut, donor))
        lo = hi - cut
        # Buckets leave such an arm lowest first, so a range right below the last one keeps "last in, first out".
        if ranges and ranges[-1].lo == hi:
            hi = ranges.pop().hi
        ranges.append(BucketRange(lo, hi, variant))


def moved(old: Table, new: Table) -> int:
    """How many buckets change their variant between two tables."""
    before, after = CompiledSplit(old), CompiledSplit(new)
    edges = sorted({piece.lo for piece in old + new} | {N_BUCKETS})
    return sum(hi - lo for lo, hi in pairwise(edges) if before.variant_of(lo) != after.variant_of(lo))


class CompiledSplit:
    """A table made ready for look-ups, as many as there are requests."""

    __slots__ = ("_starts", "_variants", "table")

    def __init__(self, table: Table) -> None:
        ordered = sorted(table)
        self.table = table
        self._starts = [piece.lo for piece in ordered]
        self._variants = [piece.variant for piece in ordered]

    def variant_of(self, bucket: int) -> str:
        return self._variants[bisect_right(self._starts, bucket) - 1]

    def weights(self) -> dict[str, int]:
        return weights_of(self.table)


def variant_of(table: Table, bucket: int) -> str:
    """One look-up; for many, keep a CompiledSplit."""
    return CompiledSplit(table).variant_of(bucket)


def weights_of(table: Table) -> dict[str, int]:
    """Basis points per variant, for those that have any."""
    return {variant: _size(ranges) for variant, ranges in _by_arm(table).items()}


def as_json(table: Table) -> list[list[Any]]:
    return [[lo, hi, variant] for lo, hi, variant in table]


def from_json(data: Any) -> Table:
    """Raise InvalidInput unless the ranges cover every bucket exactly once."""
    try:
        table = tuple(BucketRange(lo, hi, variant) for lo, hi, variant in data)
        ordered = sorted(table)
        borders = [0, *(piece.hi for piece in ordered)]
        whole = borders[-1] == N_BUCKETS and all(
            type(piece.lo) is int and type(piece.hi) is int and start == piece.lo < piece.hi
            for start, piece in zip(borders, ordered, strict=False)
        )
        known = all(type(piece.variant) is str and VARIANT_KEY.fullmatch(piece.variant) for piece in table)
    except (TypeError, ValueError):
        whole = known = False
    if not (whole and known):
        raise InvalidInput("A bucket table must cover the buckets 0 to 10 000 exactly once.", code="invalid_table")
    return table
