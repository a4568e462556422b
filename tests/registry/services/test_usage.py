"""Which of the uses of a version or model are told to whoever wants to take it away."""

from __future__ import annotations

import pytest

from portal.lib.errors import Conflict
from registry.services.usage import Use, refuse_used, worth_telling

ADDRESS = Use(None, "endpoint", "shop", True, "delete the endpoint first")


def use(kind: str, name: str = "shop", version_id: int = 1) -> Use:
    return Use(version_id, kind, name, True, f"{kind} {name}")


@pytest.mark.parametrize("kind", ["endpoint", "previous", "shadow", "warm", "callers"])
def test_worth_telling__endpoint_that_has_to_be_deleted__named_once(kind: str) -> None:
    elsewhere = use(kind, "other")
    assert worth_telling([use(kind), elsewhere, ADDRESS]) == [elsewhere, ADDRESS]


def test_worth_telling__a_job_named_as_an_endpoint__stays() -> None:
    assert worth_telling([use("job"), ADDRESS]) == [use("job"), ADDRESS]


def test_worth_telling__served_now__not_said_that_one_can_roll_back_to_it() -> None:
    other_version, other_endpoint = use("previous", version_id=2), use("previous", "other")
    uses = [use("endpoint"), use("previous"), other_version, other_endpoint, use("endpoint")]
    assert worth_telling(uses) == [use("endpoint"), other_version, other_endpoint]


def test_refuse_used__a_model_served_at_its_address__one_sentence() -> None:
    with pytest.raises(Conflict) as caught:
        refuse_used([use("endpoint"), use("previous"), ADDRESS], "Model “m”")
    assert caught.value.message == "Model “m” is in use: delete the endpoint first."
    assert caught.value.details["used_by"] == [{"kind": "endpoint", "name": "shop", "live": True}]
