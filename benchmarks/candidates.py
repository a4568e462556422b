"""Versions that differ in what a rollout has to find out: how often they fail, how long they take, what they answer.

Every one takes four numbers and adds ten, if it does nothing worse. Callers draw the first one from 0 to 999, so that a
limit at 990 is one percent of the requests. A number in the graph's name makes each file another one.
"""

from __future__ import annotations

import numpy as np
from graph import Graph

SHAPE = ["n", 4]
N_FIRST = 1_000
ADDED = 10.0
WIDTH = 512
# Some 12 microseconds each. Thirty percent more of them take thirty percent longer.
N_PRODUCTS, N_MORE_PRODUCTS = 200, 260


def adding(number: int = 0, added: float = ADDED) -> bytes:
    graph = Graph(f"adding-{number}", SHAPE)
    return graph.bytes(graph.add("Add", "x", graph.constant(np.array(added, np.float32))), SHAPE)


def refusing(limit: int, number: int = 0) -> bytes:
    """Fails where the first value is `limit` or more: it looks that value up in a table of so many rows."""
    graph = Graph(f"refusing-{number}", SHAPE)
    index = graph.add("Cast", _first(graph), to=7)  # INT64
    nothing = graph.add("Gather", graph.zeros(max(1, limit)), index, axis=0)
    return graph.bytes(graph.add("Sum", "x", graph.constant(np.array(ADDED, np.float32)), nothing), SHAPE)


def differing(limit: int, number: int = 0) -> bytes:
    """Answers one more where the first value is `limit` or more."""
    graph = Graph(f"differing-{number}", SHAPE)
    over = graph.add("GreaterOrEqual", _first(graph), graph.constant(np.array(limit, np.float32)))
    one = graph.add("Cast", over, to=1)  # FP32
    return graph.bytes(graph.add("Sum", "x", graph.constant(np.array(ADDED, np.float32)), one), SHAPE)


def working(n_products: int = N_PRODUCTS, number: int = 0) -> bytes:
    """Adds ten, and a nothing that takes `n_products` matrix products to compute."""
    graph = Graph(f"working-{number}", SHAPE)
    value, weights = graph.add("MatMul", "x", graph.normal(4, WIDTH)), graph.normal(WIDTH, WIDTH)
    for _ in range(n_products):
        value = graph.add("MatMul", value, weights)
    nothing = graph.add("MatMul", value, graph.constant(np.zeros((WIDTH, 4), np.float32)))
    return graph.bytes(graph.add("Sum", "x", graph.constant(np.array(ADDED, np.float32)), nothing), SHAPE)


def _first(graph: Graph) -> str:
    """[n, 1]: the first value of each row."""
    return graph.add("Gather", "x", graph.constant(np.array([0], np.int64)), axis=1)
