"""How many keys a change of weight moves, and whether any comes back to an arm that it just left."""

from __future__ import annotations

from itertools import pairwise
from typing import NamedTuple

from inference.routing.buckets import bucket_of
from inference.routing.split import CompiledSplit, Share, Table, move_table, new_table

WEIGHTS_BP = (0, 100, 500, 2_500, 5_000, 9_500)
SALT = "5e1fda7ac0ffee00"


class Moved(NamedTuple):
    """Of the keys: the share that changed its arm, the share that should have, and how many went to stable."""

    share: float
    wanted: float
    n_backwards: int


def growing(n_keys: int) -> list[Moved]:
    """One entry per step of a canary's weights."""
    buckets = [bucket_of(SALT, f"key-{number}") for number in range(n_keys)]
    table = new_table([Share("stable", 10_000)])
    found = []
    for before, after in pairwise(WEIGHTS_BP):
        grown = move_table(table, [Share("stable", 10_000 - after), Share("canary", after)])
        found.append(_compared(table, grown, buckets, (after - before) / 10_000))
        table = grown
    return found


def _compared(old: Table, new: Table, buckets: list[int], wanted: float) -> Moved:
    before, after = CompiledSplit(old), CompiledSplit(new)
    pairs = [(before.variant_of(bucket), after.variant_of(bucket)) for bucket in buckets]
    n_moved = sum(old_arm != new_arm for old_arm, new_arm in pairs)
    return Moved(n_moved / len(buckets), wanted, pairs.count(("canary", "stable")))
