"""What tritonclient asks a server about itself: metadata, config, statistics, and the repository."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from tritonclient.utils import InferenceServerException

from tests import graphs
from tests.flows.portal import Client, Portal
from tests.flows.test_v2_clients import Caller, sent

ROWS = np.arange(8, dtype=np.float32).reshape(2, 4)
EXTENSIONS = {
    "binary_tensor_data",
    "classification",
    "model_configuration",
    "model_repository",
    "parameters",
    "schedule_policy",
    "statistics",
}


@pytest.fixture(scope="module")
def slug(alice: Client) -> str:
    return alice.serve("v2-server", graphs.add_constant(10.0), graphs.add_constant(20.0))


@pytest.fixture(scope="module")
def caller(portal: Portal, alice: Client) -> Iterator[Caller]:
    made = Caller(portal, alice.token)
    yield made
    made.triton.close()


def test_health_and_metadata__names_what_works(caller: Caller, slug: str) -> None:
    assert caller.triton.is_server_live()
    assert caller.triton.is_server_ready()
    assert caller.triton.is_model_ready(slug)
    assert caller.triton.is_model_ready(slug, "2")
    server = caller.triton.get_server_metadata()
    assert server["name"] == "slipway"
    assert set(server["extensions"]) >= EXTENSIONS
    metadata = caller.triton.get_model_metadata(slug, "2")
    assert metadata["inputs"] == [{"name": "x", "datatype": "FP32", "shape": [-1, 4]}]
    assert metadata["outputs"] == [{"name": "y", "datatype": "FP32", "shape": [-1, 4]}]


def test_config__as_triton_writes_it(caller: Caller, slug: str) -> None:
    config = caller.triton.get_model_config(slug)
    assert config["name"] == slug
    assert [(item["name"], item["data_type"]) for item in config["input"]] == [("x", "TYPE_FP32")]
    assert [(item["name"], item["data_type"]) for item in config["output"]] == [("y", "TYPE_FP32")]


def test_statistics__after_three_requests__count_rows_and_requests(
    caller: Caller, portal: Portal, alice: Client, name: str
) -> None:
    alice.serve(name, graphs.add_constant(10.0))
    for _ in range(3):
        caller.triton.infer(name, [sent(ROWS)])

    def counted() -> bool:
        return bool(_statistics(caller, name)["inference_count"] == 6)

    portal.wait_until(counted, 15, "six rows in the statistics")
    found = _statistics(caller, name)
    assert (found["name"], found["version"]) == (name, "1")
    assert found["inference_stats"]["success"]["count"] == 3
    assert found["inference_stats"]["fail"]["count"] == 0
    assert found["inference_stats"]["compute_infer"]["ns"] > 0


def _statistics(caller: Caller, name: str) -> dict[str, Any]:
    (found,) = caller.triton.get_inference_statistics(name, "1")["model_stats"]
    return found


def test_repository_index__lists_what_the_caller_may_see(
    caller: Caller, portal: Portal, charlie: Client, slug: str
) -> None:
    entries = [entry for entry in caller.triton.get_model_repository_index() if entry["name"] == slug]
    assert ("1", "READY") in {(entry["version"], entry["state"]) for entry in entries}
    stranger = Caller(portal, charlie.token)
    assert stranger.triton.get_model_repository_index() == []
    stranger.triton.close()


def test_repository_unload_and_load__operator__serves_again(caller: Caller, slug: str) -> None:
    caller.triton.unload_model(slug)
    caller.triton.load_model(slug)
    assert caller.triton.is_model_ready(slug)
    np.testing.assert_array_equal(caller.triton.infer(slug, [sent(ROWS)]).as_numpy("y"), ROWS + 10)


def test_repository_unload_and_load__viewer__refused_and_nothing_changes(
    caller: Caller, portal: Portal, bob: Client, slug: str
) -> None:
    viewer = Caller(portal, bob.token)
    for verb in (viewer.triton.unload_model, viewer.triton.load_model):
        with pytest.raises(InferenceServerException) as caught:
            verb(slug)
        assert caught.value.status() == "403"
    viewer.triton.close()
    assert caller.triton.is_model_ready(slug)


def test_token__missing_or_wrong__401_with_a_sentence(portal: Portal, slug: str) -> None:
    stranger = Caller(portal, "swy_nobody")
    with pytest.raises(InferenceServerException, match="token") as caught:
        stranger.triton.infer(slug, [sent(ROWS)])
    assert caught.value.status() == "401"
    stranger.triton.close()
