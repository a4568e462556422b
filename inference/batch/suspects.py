"""What the deaths of workers say about the rows of a chunk. Ranges are `[from, to)`.

A block is computed as a whole until workers died in it twice: a worker may die for reasons of its own, and an answer
computed in another grouping may differ in its last bits. After that its rows run one by one, and a row is poison when
three workers died over it, two of them with nothing else in hand.
"""

from __future__ import annotations

from collections.abc import Sequence

Range = Sequence[int]
ENOUGH_ALONE = 2
ENOUGH_AT_ALL = 3
CAREFUL_FROM = 2
GIVE_UP_FROM = 60


def is_careful(deaths: Sequence[Range], begin: int, end: int) -> bool:
    return sum(death[0] < end and begin < death[1] for death in deaths) >= CAREFUL_FROM


def is_poison(deaths: Sequence[Range], row: int) -> bool:
    """Past `GIVE_UP_FROM` deaths, each row that was in hand counts."""
    over_it = [death for death in deaths if death[0] <= row < death[1]]
    if len(deaths) >= GIVE_UP_FROM:
        return bool(over_it)
    alone = sum(death[1] - death[0] == 1 for death in over_it)
    return alone >= ENOUGH_ALONE and len(over_it) >= ENOUGH_AT_ALL
