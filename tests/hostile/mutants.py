"""Good models with bytes changed, from a seed."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator

from tests import graphs, hostile_graphs
from tests.hostile.building import Named


def mutants(count: int, seed: int = 5) -> Iterator[Named]:
    """Good models with bytes flipped, cut out, doubled, swapped, or with a length or number of the format replaced."""
    chance = random.Random(seed)
    good = [
        make() for make in (
            graphs.add_constant, graphs.classifier, graphs.named_classifier, graphs.mlp, graphs.two_inputs,
            graphs.gather, graphs.counting_loop, graphs.division, graphs.strings, graphs.shapeless_output,
            hostile_graphs.deep_subgraphs, hostile_graphs.zipmap,
        )
    ]  # fmt: skip
    seen = set(good)
    while len(seen) < count + len(good):
        data = bytearray(chance.choice(good))
        for _ in range(chance.choice((1, 1, 1, 2, 4, 16))):
            chance.choice(_MUTATIONS)(data, chance)
        if bytes(data) not in seen:
            seen.add(bytes(data))
            yield f"mutant-{seed}-{len(seen) - len(good)}", bytes(data)


def _flip(data: bytearray, chance: random.Random) -> None:
    data[chance.randrange(len(data))] ^= 1 << chance.randrange(8)


def _replace(data: bytearray, chance: random.Random) -> None:
    data[chance.randrange(len(data))] = chance.choice((0, 1, 0x7F, 0x80, 0xFF))


def _remove(data: bytearray, chance: random.Random) -> None:
    at = chance.randrange(len(data))
    if len(data) > 40:
        del data[at : at + chance.randint(1, 8)]


def _double(data: bytearray, chance: random.Random) -> None:
    at = chance.randrange(len(data))
    data[at:at] = data[at : at + chance.randint(1, 32)]


def _insert_number(data: bytearray, chance: random.Random) -> None:
    """A varint of the largest kind, where a size or a dimension may stand."""
    at = chance.randrange(len(data))
    data[at : at + 1] = b"\xff" * 9 + b"\x01"


_MUTATIONS: tuple[Callable[[bytearray, random.Random], None], ...] = (
    _flip,
    _flip,
    _replace,
    _remove,
    _double,
    _insert_number,
)
