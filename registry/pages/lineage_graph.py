"""The lineage of a model's versions as a graph: one row a version, newest first, with the lines that lead to parents.

A row holds lanes. A lane is a line that runs down to a version which somebody above named as the parent.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Row:
    """`lane` is where the version's dot stands; `passing` are lanes that run by, `ending` those that end in the dot.

    `has_parent` says whether a line goes on below it, `children` are the numbers of the versions made from it.
    """

    number: int
    lane: int
    passing: tuple[int, ...]
    ending: tuple[int, ...]
    has_parent: bool
    children: tuple[int, ...]


def graph_of(parents: Iterable[tuple[int, int | None]]) -> list[Row]:
    """`parents` are (number, parent's number or None), the highest number first. Lines only run downwards."""
    waiting: list[int | None] = []
    children: dict[int, list[int]] = {}
    rows = []
    for number, said in parents:
        parent = said if isinstance(said, int) and said < number else None
        ending = tuple(lane for lane, awaited in enumerate(waiting) if awaited == number)
        for lane in ending:
            waiting[lane] = None
        lane = ending[0] if ending else _free(waiting)
        passing = tuple(other for other, awaited in enumerate(waiting) if awaited is not None)
        waiting[lane] = parent
        if parent is not None:
            children.setdefault(parent, []).append(number)
        kids = tuple(sorted(children.get(number, ())))
        rows.append(Row(number, lane, passing, ending, parent is not None, kids))
    return rows


def _free(waiting: list[int | None]) -> int:
    """The first lane that is free; the graph grows to the side where none is."""
    for lane, awaited in enumerate(waiting):
        if awaited is None:
            return lane
    waiting.append(None)
    return len(waiting) - 1


def width_of(rows: Iterable[Row]) -> int:
    """How many lanes the rows take, at least one."""
    return max((max((row.lane, *row.passing, *row.ending)) + 1 for row in rows), default=1)
