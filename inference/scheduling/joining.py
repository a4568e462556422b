"""Runs jobs: one by one, or several requests for the same version in one run of the model."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from inference.scheduling.job import Job, Timing
from portal.lib.errors import Unprocessable


class Fed(NamedTuple):
    """A job with its arrays; `rows` is the size of the leading dimension, None where the inputs have none in common."""

    job: Job
    inputs: dict[str, np.ndarray]
    outputs: Sequence[str] | None

    @property
    def rows(self) -> int | None:
        sizes = {array.shape[0] if array.ndim else None for array in self.inputs.values()}
        return sizes.pop() if len(sizes) == 1 else None

    @property
    def kind(self) -> tuple[object, ...]:
        """Requests of the same kind may share a run: same outputs, same shapes but for the rows."""
        shapes = ((name, array.shape[1:]) for name, array in sorted(self.inputs.items()))
        return (tuple(self.outputs) if self.outputs is not None else None, *shapes)


def perform(jobs: Sequence[Job]) -> None:
    """Ends every job. They were taken together, so they are for one version and may be joined within its plan."""
    fed = [made for job in jobs if (made := _feed(job)) is not None]
    while fed:
        group = _next_group(fed)
        fed = fed[len(group) :]
        if len(group) == 1 or not _run_joined(group):
            for one in group:
                _run_alone(one)


def _feed(job: Job) -> Fed | None:
    try:
        inputs, outputs = job.work.feed()
    except Exception as error:
        job.end(error=error)
        return None
    job.deadline = job.work.deadline  # the body may have asked for less
    return Fed(job, inputs, outputs)


def _next_group(fed: Sequence[Fed]) -> list[Fed]:
    """The first and those directly behind it that fit into one run with it."""
    first = fed[0]
    group, n_rows = [first], first.rows
    if n_rows is None or first.job.plan.max_size < 2:
        return group
    for other in fed[1:]:
        rows = other.rows
        if rows is None or other.kind != first.kind or n_rows + rows > first.job.plan.max_size:
            break
        group.append(other)
        n_rows += rows
    return group


def _run_alone(fed: Fed) -> None:
    job = fed.job
    begin = time.perf_counter()
    try:
        arrays = job.work.session.run(fed.inputs, fed.outputs, deadline=job.deadline)
        result = job.work.finish(arrays, Timing(job.queued, time.perf_counter() - begin))
    except Exception as error:
        job.end(error=error)
    else:
        job.end(result)


def _run_joined(group: Sequence[Fed]) -> bool:
    """False when the joined run says nothing about its parts: then each runs alone and finds out for itself."""
    session = group[0].job.work.session
    inputs = {name: np.concatenate([fed.inputs[name] for fed in group]) for name in group[0].inputs}
    sizes = [fed.rows or 0 for fed in group]
    begin = time.perf_counter()
    try:
        arrays = session.run(inputs, group[0].outputs, deadline=max(fed.job.deadline for fed in group))
    except Unprocessable:
        return False
    except Exception as error:
        for fed in group:
            fed.job.end(error=error)
        return True
    seconds = time.perf_counter() - begin
    if any(array.ndim == 0 or len(array) != sum(sizes) for array in arrays):
        return False
    ends = np.cumsum(sizes)
    for index, (fed, end, size) in enumerate(zip(group, ends, sizes, strict=True)):
        _hand_out(fed, [array[end - size : end] for array in arrays], seconds, 0 if index else sum(sizes))
    return True


def _hand_out(fed: Fed, arrays: list[np.ndarray], seconds: float, run_rows: int) -> None:
    try:
        result = fed.job.work.finish(arrays, Timing(fed.job.queued, seconds, run_rows))
    except Exception as error:
        fed.job.end(error=error)
    else:
        fed.job.end(result)
