"""How a request finds its variant: what people may write, and what it means for one request."""

from __future__ import annotations

from typing import Any

import pytest

from inference.routing.assignment import (
    MAX_KEY_BYTES,
    check_assignment,
    check_rules,
    compile_assignment,
    compile_rules,
    first_match,
    key_from_bytes,
    key_from_document,
)
from inference.routing.buckets import N_BUCKETS, bucket_of, hash_of, unit_of
from inference.routing.split import CompiledSplit, Share, Table, move_table, moved, new_table, weights_of
from portal.lib.errors import InvalidInput

ACME = {"header": "X-Tenant", "equals": "acme", "variant": "canary"}
TOKENS = {"token": ["1f2e3d4c", "swy_00112233"], "variant": "stable"}
STAGES = (100, 500, 2_500, 5_000, 9_500, 10_000)


# --- units ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("hashed", "unit"),
    [(0, 0), (2**63 - 1, 2**63 - 1), (2**63, -(2**63)), (2**64 - 1, -1), (0x8000_0000_0000_0001, -(2**63) + 1)],
)
def test_unit_of__any_hash__fits_a_signed_column_and_keeps_its_bits(hashed: int, unit: int) -> None:
    assert unit_of(hashed) == unit
    assert unit % 2**64 == hashed


def test_hash_of__documented_key__gives_the_bucket_and_the_unit() -> None:
    # Computed with coreutils: printf '0123456789abcdef:alice' | sha256sum | cut -c1-16
    assert hash_of("0123456789abcdef", "alice") % N_BUCKETS == bucket_of("0123456789abcdef", "alice") == 6522


# --- keys -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "key"),
    [
        (None, None),
        (b"", None),
        (b"alice", "alice"),
        ("zoë".encode(), "zoë"),
        (b"\xff", "\ufffd"),
        (b"k" * 2000, "k" * MAX_KEY_BYTES),
    ],
)
def test_key_from_bytes__header__as_text(value: bytes | None, key: str | None) -> None:
    assert key_from_bytes(value) == key


@pytest.mark.parametrize(
    ("document", "key"),
    [
        ({"user": "bob"}, "bob"),
        ({"parameters": {"user": "ann"}, "user": "bob"}, "ann"),
        ({"parameters": {"other": 1}, "user": "bob"}, "bob"),
        ({"parameters": [], "user": "bob"}, "bob"),
        ({"user": 42}, "42"),
        ({"user": -7}, "-7"),
        ({"user": ""}, None),
        ({"user": 4.0}, None),
        ({"user": True}, None),
        ({"user": None}, None),
        ({"user": ["bob"]}, None),
        ({"parameters": {"user": None}, "user": "bob"}, None),
        ({}, None),
        (["user"], None),
    ],
)
def test_key_from_document__field__text_and_whole_numbers_only(document: Any, key: str | None) -> None:
    assert key_from_document(document, "user") == key


def test_compile_assignment__usual_ways__need_no_look_up() -> None:
    assert compile_assignment({}) is None
    assert compile_assignment({"by": "header"}) is None
    assert compile_assignment({"by": "header", "name": "X-Customer"}) == ("header", "X-Customer", b"x-customer")
    assert compile_assignment({"by": "field", "name": "user"}) == ("field", "user", b"")
    assert compile_assignment({"by": "request"}) == ("request", "", b"")


# --- rules ------------------------------------------------------------------------------------------------------------


def test_first_match__several_rules__the_first_decides() -> None:
    variants = {"stable", "canary"}
    rules = compile_rules(check_rules([TOKENS, ACME], variants), variants)
    assert first_match(rules, {b"x-tenant": b"acme"}, "99999999") == "canary"
    assert first_match(rules, {b"x-tenant": b"acme"}, "1f2e3d4c") == "stable"
    assert first_match(rules, {}, "00112233") == "stable"
    assert first_match(rules, {b"x-tenant": b"Acme"}, "") is None
    assert first_match(rules, {}, "") is None


def test_check_rules__good__kept_without_the_tokens_prefix() -> None:
    assert check_rules([ACME, TOKENS], ["stable", "canary"]) == [
        ACME,
        {"token": ["1f2e3d4c", "00112233"], "variant": "stable"},
    ]
    assert check_rules(None, []) == []


@pytest.mark.parametrize(
    "rule",
    [
        "canary",
        {},
        {"variant": "canary"},
        {**ACME, "token": ["1f2e3d4c"]},
        {**ACME, "note": "x"},
        {**ACME, "variant": "green"},
        {**ACME, "variant": ["canary"]},
        {**ACME, "header": "X Tenant"},
        {**ACME, "header": "Authorization"},
        {**ACME, "header": "cookie"},
        {**ACME, "equals": ""},
        {**ACME, "equals": 1},
        {**ACME, "equals": "a\nb"},
        {**ACME, "equals": "a" * 201},
        {**TOKENS, "token": []},
        {**TOKENS, "token": [7]},
        {**TOKENS, "token": ["swy_1f2e3d4c_the-secret-itself-must-not-stand-here"]},
        {**TOKENS, "token": ["x"] * 101},
    ],
)
def test_check_rules__bad__named_by_its_number(rule: Any) -> None:
    with pytest.raises(InvalidInput, match=r"^Rule 2: ") as refused:
        check_rules([ACME, rule], {"stable", "canary"})
    assert (refused.value.code, refused.value.details) == ("invalid_rule", {"rule": 1})


def test_check_rules__too_many_or_no_list__refused() -> None:
    for data in ([ACME] * 101, {"header": "x"}):
        with pytest.raises(InvalidInput) as refused:
            check_rules(data, {"canary"})
        assert refused.value.code == "invalid_rule"


@pytest.mark.parametrize(
    ("data", "kept"),
    [
        (None, {}),
        ({}, {}),
        ({"by": "header"}, {"by": "header"}),
        ({"by": "header", "name": ""}, {"by": "header"}),
        ({"by": "header", "name": "X-Customer"}, {"by": "header", "name": "X-Customer"}),
        ({"by": "token"}, {"by": "token"}),
        ({"by": "field", "name": "kunden-nr ü"}, {"by": "field", "name": "kunden-nr ü"}),
        ({"by": "request"}, {"by": "request"}),
    ],
)
def test_check_assignment__good__kept(data: Any, kept: dict[str, str]) -> None:
    assert check_assignment(data) == kept


@pytest.mark.parametrize(
    "data",
    [
        "header",
        [],
        {"by": "cookie"},
        {"by": ["header"]},
        {"name": "x"},
        {"by": "header", "name": "X Customer"},
        {"by": "header", "name": "Authorization"},
        {"by": "header", "name": 5},
        {"by": "field"},
        {"by": "field", "name": ""},
        {"by": "field", "name": "x" * 65},
        {"by": "field", "name": "a\x00"},
        {"by": "token", "name": "x"},
        {"by": "request", "salt": "x"},
    ],
)
def test_check_assignment__bad__refused(data: Any) -> None:
    with pytest.raises(InvalidInput) as refused:
        check_assignment(data)
    assert refused.value.code == "invalid_assignment"


# --- growing ----------------------------------------------------------------------------------------------------------


def owners(table: Table) -> list[str]:
    compiled = CompiledSplit(table)
    return [compiled.variant_of(bucket) for bucket in range(N_BUCKETS)]


@pytest.mark.parametrize("third_bp", [0, 500, 2_000])
def test_growing__stage_by_stage__moves_exactly_the_difference_and_nothing_back(third_bp: int) -> None:
    table = new_table([Share("stable", 10_000 - third_bp), Share("other", third_bp)])
    before, canary_bp = owners(table), 0
    for stage in STAGES:
        wanted_bp = min(stage, 10_000 - third_bp)
        shares = [Share("stable", 10_000 - third_bp - wanted_bp), Share("other", third_bp), Share("canary", wanted_bp)]
        grown = move_table(table, shares)
        after = owners(grown)
        changes = [(was, now) for was, now in zip(before, after, strict=True) if was != now]
        assert changes == [("stable", "canary")] * (wanted_bp - canary_bp)
        assert moved(table, grown) == wanted_bp - canary_bp
        assert weights_of(grown).get("canary", 0) == wanted_bp
        assert [was == "other" for was in before] == [now == "other" for now in after]
        table, before, canary_bp = grown, after, wanted_bp


def test_growing__and_back_again__every_bucket_returns_to_where_it_was() -> None:
    start = new_table([Share("stable", 10_000)])
    table, seen = start, [owners(start)]
    for stage in STAGES[:-1]:
        table = move_table(table, [Share("stable", 10_000 - stage), Share("canary", stage)])
        seen.append(owners(table))
    for stage in (*reversed(STAGES[:-2]), 0):
        seen.pop()
        table = move_table(table, [Share("stable", 10_000 - stage), Share("canary", stage)])
        assert owners(table) == seen[-1]


@pytest.mark.parametrize("salt", ["0123456789abcdef", "fedcba9876543210"])
def test_growing__real_keys__share_follows_the_weight_and_none_leaves(salt: str) -> None:
    keys = [bucket_of(salt, f"user-{number}") for number in range(20_000)]
    table, with_canary = new_table([Share("stable", 10_000)]), set[int]()
    for stage in STAGES:
        table = move_table(table, [Share("stable", 10_000 - stage), Share("canary", stage)])
        compiled = CompiledSplit(table)
        now = {index for index, bucket in enumerate(keys) if compiled.variant_of(bucket) == "canary"}
        assert with_canary <= now
        assert len(now) / len(keys) == pytest.approx(stage / 10_000, abs=0.01)
        with_canary = now
