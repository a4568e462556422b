"""Golden runs: a version in a process of its own answers, and what came of it is written down."""

from __future__ import annotations

import os
from typing import Any

import pytest

from inference.golden import running
from inference.golden.running import run_golden
from inference.golden.words import sentence_of
from inference.models import Endpoint, GoldenRequest, GoldenRun
from inference.replay import pair
from inference.routing.snapshot import version_ref
from inference.selectors.golden import digest_of
from portal.lib.errors import Unavailable
from registry.models import ModelVersion, VersionStatus
from registry.services.artifacts import artifact_store
from registry.tasks import validate_version
from tests import factories, graphs


def test_run__version_that_answers_the_same__passes(endpoint: Endpoint, golden: GoldenRequest) -> None:
    run = run_golden(factories.version_of(endpoint, 1).pk, "asked")
    assert run is not None
    assert (run.n_requests, run.n_failed, run.occasion, run.set_digest) == (1, 0, "asked", digest_of([golden]))
    assert sentence_of(run) == "1 golden request passed."
    assert run.results[0]["sentence"] == "4 values agree."


def test_run__another_answer__row_with_the_numbers(endpoint: Endpoint, golden: GoldenRequest) -> None:
    run = run_golden(factories.version_of(endpoint, 2).pk, "asked")
    assert run is not None
    (row,) = GoldenRun.objects.get(pk=run.pk).results
    assert row == {
        "id": golden.pk,
        "name": "ones",
        "passed": False,
        "code": "value",
        "output": "y",
        "index": [0, 0],
        "got": 21.0,
        "expected": 11.0,
        "n_wrong": 4,
        "n_elements": 4,
        "sentence": (
            "Output “y” at [0, 0] is 21.0, expected was 11.0. 4 of 4 values are outside the tolerance "
            "(rtol 0.001, atol 1e-05)."
        ),
    }
    assert sentence_of(run) == f"1 of 1 golden requests failed. “ones”: {row['sentence']}"


def test_run__own_tolerance_of_the_request__decides(endpoint: Endpoint, golden: GoldenRequest) -> None:
    factories.make_golden(endpoint.model, name="wide", rtol=1.0)
    run = run_golden(factories.version_of(endpoint, 2).pk, "asked")
    assert run is not None
    assert [(row["name"], row["passed"]) for row in run.results] == [("ones", False), ("wide", True)]


def test_run__no_golden_requests_or_nothing_ready__nothing(endpoint: Endpoint) -> None:
    version = factories.version_of(endpoint, 1)
    assert run_golden(version.pk, "asked") is None
    factories.make_golden(endpoint.model)
    assert run_golden(10**9, "asked") is None
    version.status = VersionStatus.ARCHIVED
    version.save()
    assert run_golden(version.pk, "asked") is None
    assert not GoldenRun.objects.exists()


def _division(endpoint: Endpoint) -> ModelVersion:
    """The next version: quotient = a / b, where the smallest number by -1 ends its process."""
    version = factories.make_version(endpoint.model, data=graphs.division())
    whole = [{"name": name, "datatype": "INT64", "shape": [-1]} for name in ("a", "b", "quotient")]
    version.signature = {"inputs": whole[:2], "outputs": whole[2:]}
    version.save()
    return version


def test_run__request_that_does_not_fit__fails_with_the_decoders_sentence(
    endpoint: Endpoint, golden: GoldenRequest
) -> None:
    run = run_golden(_division(endpoint).pk, "asked")
    assert run is not None
    assert run.results[0]["code"] == "refused"
    assert "The model has no input" in run.results[0]["sentence"]


def test_run__bytes_are_gone__every_request_fails_and_says_why(endpoint: Endpoint, golden: GoldenRequest) -> None:
    version = factories.version_of(endpoint, 2)
    os.unlink(artifact_store().path(version.sha256))
    run = run_golden(version.pk, "asked")
    assert run is not None
    assert (run.n_requests, run.n_failed) == (1, 1)
    assert run.results[0]["sentence"].startswith("The version cannot be tried: ")


def test_run__model_that_ends_its_process__fails_and_the_next_request_has_its_chance(endpoint: Endpoint) -> None:
    for name, numbers, result in (("deadly", (-(2**63), -1), 0), ("harmless", (6, 3), 2)):
        inputs = [_one(key, number) for key, number in zip("ab", numbers, strict=True)]
        expected = [_one("quotient", result)]
        factories.make_golden(endpoint.model, name=name, request={"inputs": inputs}, expected=expected)
    run = run_golden(_division(endpoint).pk, "asked")
    assert run is not None
    assert [(row["name"], row["code"]) for row in run.results] == [("deadly", "model_crashed"), ("harmless", "")]


def _one(name: str, number: int) -> dict[str, Any]:
    return {"name": name, "datatype": "INT64", "shape": [1], "data": [number]}


def test_run__time_is_over__the_rest_is_not_run(
    endpoint: Endpoint, golden: GoldenRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(running, "SECONDS", 0.0)
    run = run_golden(factories.version_of(endpoint, 1).pk, "asked")
    assert run is not None
    assert [row["code"] for row in run.results] == ["out_of_time"]


def test_run__process_that_starts_slowly_again__waited_for_as_long_as_there_is_time(
    endpoint: Endpoint, golden: GoldenRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    slept: list[float] = []

    class Restarting:
        def run(self, *_: Any, **__: Any) -> None:
            raise Unavailable("It is being started again.", code="model_restarting", retry_after=8)

    monkeypatch.setattr(pair.time, "sleep", slept.append)
    side = pair.Side(version_ref(factories.version_of(endpoint, 1)), Restarting())  # type: ignore[arg-type]
    codes = [running._answer(side, golden, left)["code"] for left in (25.0, 12.0, 6.0, 0.5)]
    assert (codes, slept) == (["model_restarting"] * 4, [8, 7.0, 1.0, 0.0])


def test_run__after_validation_twice__one_run_until_the_requests_change(
    endpoint: Endpoint, golden: GoldenRequest
) -> None:
    version = factories.version_of(endpoint, 1)
    assert run_golden(version.pk, "validation") is not None
    assert run_golden(version.pk, "validation") is None
    factories.make_golden(endpoint.model)
    assert run_golden(version.pk, "validation") is not None


def test_validation__ready_version__rings_for_a_run(db: None, monkeypatch: pytest.MonkeyPatch) -> None:
    rung: list[tuple[object, ...]] = []
    monkeypatch.setattr("registry.tasks.ring", lambda *args, **_: rung.append(args))
    model = factories.make_model()
    good = factories.make_version(model, status=VersionStatus.VALIDATING)
    bad = factories.make_version(model, status=VersionStatus.VALIDATING, data=b"no model")
    for version in (good, bad):
        validate_version(version.pk)
    assert rung == [("inference.tasks.run_golden", good.pk)]
