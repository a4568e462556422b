"""A sample of the hostile corpus in the sandbox; all of it is sent over HTTP by benchmarks/hostile.py."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path

import pytest

from registry.artifacts.limits import Limits
from registry.artifacts.model_files import OpenModel
from registry.artifacts.report import Report
from registry.artifacts.sandbox import validate
from tests.hostile import corpus
from tests.hostile.building import Named
from tests.hostile.mutants import mutants

LIMITS = Limits(wall_seconds=8.0, cpu_seconds=2)
EVERY = 13
N_MUTANTS = 150


@cache
def directed() -> list[Named]:
    return list(corpus.directed())


def look_at(folder: Path, data: bytes) -> Report:
    path = folder / f"{abs(hash(data))}"
    path.write_bytes(data)
    descriptor = os.open(path, os.O_RDONLY)
    try:
        return validate(OpenModel(descriptor, {}), limits=LIMITS)
    finally:
        os.close(descriptor)


def test_corpus__names__say_which_file_it_is() -> None:
    names = [name for name, _data in directed()]
    assert len(names) >= 500
    assert len(set(names)) == len(names)


def test_corpus__mutants__are_as_many_as_asked_for_and_the_same_each_time() -> None:
    once, again = (list(mutants(40, seed=3)) for _ in range(2))
    assert once == again
    assert len({data for _name, data in once}) == 40


@pytest.mark.parametrize("family", ["directed", "mutants"])
def test_validate__hostile_corpus__a_verdict_for_each_and_the_zygote_lives(family: str, tmp_path: Path) -> None:
    sample = directed()[::EVERY] if family == "directed" else list(mutants(N_MUTANTS))
    with ThreadPoolExecutor(2) as pool:
        reports = list(pool.map(lambda item: look_at(tmp_path, item[1]), sample))
    assert all(report.ready or (report.code and report.message) for report in reports)
    told = " ".join(str(report.as_json()) for report in reports)
    assert "root:x:0:0" not in told
    assert "Traceback" not in told
