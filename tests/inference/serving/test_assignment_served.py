"""Which version answers whom: rules, keys from everywhere, chance. Requests go through the handler of both doors."""

from __future__ import annotations

import gzip
import json
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest

from inference.endpoints.switching import promote
from inference.models import Endpoint
from inference.routing.buckets import bucket_of
from inference.routing.split import CompiledSplit, from_json
from inference.serving.follower import Follower
from registry.access.principal import SYSTEM
from tests import factories
from tests.inference.serving.watched import V1_BODY, V2_BODY, Reply, send, set_traffic

Follow = Callable[[], Follower]
KEYS = ("alice", "bob", "zoë", "用户-7", "42", "k6", "k7", "k8")
V1 = "/v1/models/%s:predict"


@pytest.fixture
def token(serving: Follow) -> str:
    return factories.token_for(factories.make_user("alice", "operator"), "predict")[1]


def served(serving: Follow, **how: Any) -> Endpoint:
    """Half to version 1 as `stable`, half to version 2 as `canary`."""
    endpoint = factories.make_endpoint("shop")
    made = set_traffic(endpoint, 5_000, factories.version_of(endpoint, 2), **how)
    serving()
    return made


def way(reply: Reply) -> tuple[str, str]:
    assert reply.status == 200, reply.body
    return reply.headers["x-variant"], reply.headers["x-route-reason"]


def variant_of(endpoint: Endpoint, key: str) -> str:
    """What a client finds by itself, from what the endpoint shows."""
    split = endpoint.live_split
    assert split is not None
    return CompiledSplit(from_json(split.table)).variant_of(bucket_of(split.salt or endpoint.salt, key))


def reasons(reply: Callable[[], Reply], n: int = 40) -> Counter[tuple[str, str]]:
    return Counter(way(reply()) for _ in range(n))


def drawn_at_random(reply: Callable[[], Reply]) -> bool:
    return set(reasons(reply)) == {("stable", "random"), ("canary", "random")}


# --- keys -------------------------------------------------------------------------------------------------------------


def test_choose__usual_header__the_documented_bucket_decides(serving: Follow, token: str) -> None:
    endpoint = served(serving)
    for key in KEYS:
        assert way(send(token, endpoint, x_routing_key=key)) == (variant_of(endpoint, key), "key")
    assert {variant_of(endpoint, key) for key in KEYS} == {"stable", "canary"}
    assert drawn_at_random(lambda: send(token, endpoint))


def test_choose__salt_of_the_split__instead_of_the_endpoints(serving: Follow, token: str) -> None:
    endpoint = served(serving, salt="0123456789abcdef")
    others = [key for key in map(str, range(50)) if bucket_of(endpoint.salt, key) // 5000 != variant_index(key)]
    assert len(others) > 10
    for key in others[:5]:
        assert way(send(token, endpoint, x_routing_key=key)) == (variant_of(endpoint, key), "key")


def variant_index(key: str) -> int:
    return bucket_of("0123456789abcdef", key) // 5000


def test_choose__another_header__only_that_one_counts(serving: Follow, token: str) -> None:
    endpoint = served(serving, assignment={"by": "header", "name": "X-Customer"})
    for key in KEYS:
        sent = {"x_customer": key, "x_routing_key": "something else"}
        assert way(send(token, endpoint, **sent)) == (variant_of(endpoint, key), "key")
    assert drawn_at_random(lambda: send(token, endpoint, x_routing_key="alice"))


def test_choose__by_token__all_requests_of_one_go_the_same_way(serving: Follow, token: str) -> None:
    endpoint = served(serving, assignment={"by": "token"})
    user = factories.make_user("bob", "operator")
    for row, secret in [factories.token_for(user, "predict") for _ in range(6)]:
        expected = (variant_of(endpoint, row.prefix), "key")
        assert {way(send(secret, endpoint, x_routing_key=key)) for key in KEYS} == {expected}


@pytest.mark.parametrize("where", ["parameter", "key beside the inputs", "V1"])
def test_choose__by_field__read_from_the_body(serving: Follow, token: str, where: str) -> None:
    endpoint = served(serving, assignment={"by": "field", "name": "customer"})
    for key in (*KEYS, 42, -1):
        body, path = {
            "parameter": ({**V2_BODY, "parameters": {"customer": key}}, "/v2/models/%s/infer"),
            "key beside the inputs": ({**V2_BODY, "customer": key}, "/v2/models/%s/infer"),
            "V1": ({**V1_BODY, "customer": key}, V1),
        }[where]
        assert way(send(token, endpoint, body, path)) == (variant_of(endpoint, str(key)), "key")
    assert drawn_at_random(lambda: send(token, endpoint, x_routing_key="alice"))


def test_choose__by_field__in_large_and_compressed_and_binary_bodies(serving: Follow, token: str) -> None:
    endpoint = served(serving, assignment={"by": "field", "name": "customer"})
    for key in KEYS:
        expected = (variant_of(endpoint, key), "key")
        large = json.dumps({**V2_BODY, "id": "x" * 20_000, "parameters": {"customer": key}}).encode()
        assert way(send(token, endpoint, large)) == expected
        assert way(send(token, endpoint, gzip.compress(large, mtime=0), content_encoding="gzip")) == expected
        tensor = {"name": "x", "shape": [1, 4], "datatype": "FP32", "parameters": {"binary_data_size": 16}}
        head = json.dumps({"inputs": [tensor], "parameters": {"customer": key}}).encode()
        length = {"inference_header_content_length": str(len(head))}
        assert way(send(token, endpoint, head + b"\x00" * 16, **length)) == expected


@pytest.mark.parametrize(
    ("body", "headers", "status"),
    [(b"{", {}, 400), (b"[]", {}, 400), (b"not gzip", {"content_encoding": "gzip"}, 400), (b"", {}, 400)],
)
def test_choose__by_field__broken_body__says_what_is_wrong_with_it(
    serving: Follow, token: str, body: bytes, headers: dict[str, str], status: int
) -> None:
    endpoint = served(serving, assignment={"by": "field", "name": "customer"})
    reply = send(token, endpoint, body, **headers)
    assert (reply.status, reply.headers["x-route-reason"]) == (status, "random")


def test_choose__by_request__keys_are_ignored(serving: Follow, token: str) -> None:
    endpoint = served(serving, assignment={"by": "request"})
    assert drawn_at_random(lambda: send(token, endpoint, x_routing_key="alice"))


# --- rules ------------------------------------------------------------------------------------------------------------


def test_rules__first_match__before_key_and_chance(serving: Follow, token: str) -> None:
    prefix = token.split("_")[1]
    rules = [
        {"header": "X-Tenant", "equals": "acme", "variant": "canary"},
        {"header": "X-Tenant", "equals": "ümläut", "variant": "canary"},
        {"token": [prefix], "variant": "stable"},
    ]
    endpoint = served(serving, rules=rules)
    other = factories.token_for(factories.make_user("bob", "operator"), "predict")[1]
    for key in KEYS:
        assert way(send(token, endpoint, x_routing_key=key)) == ("stable", "rule")
        assert way(send(token, endpoint, x_routing_key=key, x_tenant="acme")) == ("canary", "rule")
        assert way(send(other, endpoint, x_routing_key=key, x_tenant="ümläut")) == ("canary", "rule")
        assert way(send(other, endpoint, x_routing_key=key, x_tenant="ACME")) == (variant_of(endpoint, key), "key")
    assert drawn_at_random(lambda: send(other, endpoint))


def test_rules__variant_that_is_not_in_the_split__passed_over(serving: Follow, token: str) -> None:
    rules = [
        {"header": "X-Tenant", "equals": "acme", "variant": "green"},
        {"header": "X-Tenant", "equals": "acme", "variant": "canary"},
    ]
    endpoint = served(serving, rules=rules)
    assert way(send(token, endpoint, x_tenant="acme")) == ("canary", "rule")


def test_rules__variant_without_any_weight__its_testers_get_it_and_nobody_else(serving: Follow, token: str) -> None:
    endpoint = factories.make_endpoint("shop")
    rules = [{"header": "X-Tester", "equals": "yes", "variant": "canary"}]
    endpoint = set_traffic(endpoint, 0, factories.version_of(endpoint, 2), rules=rules)
    serving()
    assert way(send(token, endpoint, x_tester="yes")) == ("canary", "rule")
    assert {way(send(token, endpoint, x_routing_key=key))[0] for key in KEYS} == {"stable"}


# --- what an answer says ----------------------------------------------------------------------------------------------


def test_answer__says_by_which_revision__also_when_it_failed_or_was_pinned(serving: Follow, token: str) -> None:
    endpoint = served(serving)
    assert endpoint.live_split is not None
    revision = str(endpoint.live_split.revision)
    assert revision == "2"
    failed = send(token, endpoint, {"inputs": []})
    pinned = send(token, endpoint, path="/v2/models/%s/versions/1/infer")
    assert (failed.status, way(pinned)) == (400, ("", "pinned"))
    for reply in (send(token, endpoint), failed, pinned):
        assert (reply.headers["x-split-revision"], reply.headers["x-split-epoch"]) == (revision, str(endpoint.epoch))


def test_answer__one_version_only__says_so(serving: Follow, token: str) -> None:
    endpoint = served(serving, assignment={"by": "field", "name": "customer"})
    promote(SYSTEM, endpoint, factories.version_of(endpoint, 2), reason="a test")
    serving()
    reply = send(token, endpoint, x_routing_key="alice")
    assert (way(reply), reply.headers["x-split-revision"]) == (("stable", "only"), "3")
