"""How throughput and latency of this portal move with one thing at a time. `serve.py --sweep NAME` runs them."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
from cells import ENCODER, IRIS, Cell
from drive import Figures, drive
from graph import Graph
from models import MODELS, Model
from servers import Slipway, serve
from table import heading, median, show

N_CALLED = 10
REGISTERED = (1, 10, 100, 1000)
NUMBERS = (4, 256, 4_096, 37_632, 150_528)
ROWS = (1, 64, 1024)
CONNECTIONS = (1, 4, 16, 64, 256)
PROCESSES = (1, 2, 4)
Point = tuple[str, Callable[[], Figures]]


def run(name: str, options: argparse.Namespace) -> None:
    """Prints medians over the rounds, which go through all points in turn."""
    heading(f"{TITLES[name]}: {options.rounds} rounds of {options.seconds:g} s, {options.processes} processes")
    rows = []
    for points in SWEEPS[name](options):
        found: dict[str, list[Figures]] = {label: [] for label, _measure in points}
        for _round in range(options.rounds):
            for label, measure in points:
                found[label].append(measure())
        rows += [[label, *_medians(runs)] for label, runs in found.items()]
    show(["", "per second", "p50 ms", "p99 ms", "failed"], rows)


def _medians(runs: list[Figures]) -> list[Any]:
    return [*(median(run[key] for run in runs) for key in ("rate", "p50", "p99")), int(sum(r["failed"] for r in runs))]


def registered(options: argparse.Namespace) -> Iterator[list[Point]]:
    """More and more models with an endpoint each, of which the first ten are called in turn."""
    with Slipway([IRIS], options.processes) as server:
        cell, names = Cell("", IRIS, 8), ["iris"]
        for n in REGISTERED:
            names += _register(server, len(names), n)
            request = cell.request(server, tuple(names[:N_CALLED]))
            yield [(f"{n} registered", lambda request=request: drive(request, 8, options.seconds))]  # type: ignore[misc]


def _register(server: Slipway, first: int, end: int) -> list[str]:
    """Like iris, each with another bias: the same bytes would be one session."""

    def add(index: int) -> str:
        graph = Graph(f"iris-{index}", ["n", 4])
        shifted = graph.add("Add", graph.dense("x", 4, 3), graph.constant(np.array([index, 0, 0], np.float32)))
        serve(server.portal.client(), graph.name, graph.bytes(graph.add("Softmax", shifted, axis=1), ["n", 3]))
        return graph.name

    with ThreadPoolExecutor(4) as pool:
        return list(pool.map(add, range(first, end)))


def payload(options: argparse.Namespace) -> Iterator[list[Point]]:
    """One row of more and more numbers, of which the mean is taken; 150 528 are an image, 600 kB in binary."""
    models = [Model(f"mean-{n}", _mean, (n,)) for n in NUMBERS]
    MODELS.update((model.name, model) for model in models)
    cells = [
        Cell(f"{model.shape[0]} numbers, {form}", model, 8, binary=form == "binary")
        for model in models
        for form in ("JSON", "binary")
    ]
    yield from _cells(cells, models[:1], options, slug=models[0].name)


def _mean() -> bytes:
    graph = Graph("mean", ["n", "k"])
    return graph.bytes(graph.add("ReduceMean", "x", graph.constant(np.array([1])), keepdims=1), ["n", 1])


def rows(options: argparse.Namespace) -> Iterator[list[Point]]:
    cells = [
        Cell(f"{n} rows, {form}", IRIS, 8, n_rows=n, binary=form == "binary")
        for n in ROWS
        for form in ("JSON", "binary")
    ]
    yield from _cells(cells, [IRIS], options)


def connections(options: argparse.Namespace) -> Iterator[list[Point]]:
    cells = [Cell(f"{model.name}, {n} connections", model, n) for model in (IRIS, ENCODER) for n in CONNECTIONS]
    yield from _cells(cells, [IRIS, ENCODER], options)


def processes(options: argparse.Namespace) -> Iterator[list[Point]]:
    """Each number of processes is a portal of its own, so the rounds are not interleaved."""
    for n in PROCESSES:
        cells = [Cell(f"{model.name} c=32, {n} processes", model, 32) for model in (IRIS, ENCODER)]
        options.processes = n
        yield from _cells(cells, [IRIS, ENCODER], options)


def _cells(
    cells: list[Cell], models: list[Model], options: argparse.Namespace, slug: str = ""
) -> Iterator[list[Point]]:
    """All points at one portal; `slug` where one endpoint answers for all."""
    with Slipway(models, options.processes) as server:
        points: list[Point] = []
        for cell in cells:
            cell.check(server, slug)
            request = cell.request(server, (slug,) if slug else ())
            points.append((cell.name, lambda c=cell, r=request: drive(r, c.connections, options.seconds)))  # type: ignore[misc]
        yield points


SWEEPS: dict[str, Callable[[argparse.Namespace], Iterator[list[Point]]]] = {
    "models": registered,
    "payload": payload,
    "rows": rows,
    "connections": connections,
    "processes": processes,
}
TITLES = {
    "models": "Registered models, of which at most ten are called",
    "payload": "Numbers in a request",
    "rows": "Rows in a request, iris",
    "connections": "Connections",
    "processes": "Web processes",
}
