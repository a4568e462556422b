"""Five hundred files that want to harm or are broken, by name. For benchmarks/hostile.py.

Everything is made here, from a seed where chance is involved, so that each run sends the same bytes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from tests.hostile import files, graphs, numbers, places, weights
from tests.hostile.building import Named

FAMILIES: tuple[Callable[[], Iterator[Named]], ...] = (
    places.single,
    places.locations,
    places.offsets,
    numbers.versions,
    numbers.opsets,
    numbers.bombs,
    numbers.allocations,
    numbers.loops,
    numbers.texts,
    numbers.attributes,
    weights.tensors,
    graphs.names,
    graphs.types,
    graphs.wiring,
    files.containers,
    files.cut,
    numbers.trees,
    numbers.divisions,
)


def directed() -> Iterator[Named]:
    for family in FAMILIES:
        for name, data in family():
            yield f"{family.__name__}-{name}", data
