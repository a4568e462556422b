from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from inference.routing.buckets import N_BUCKETS
from inference.routing.split import (
    BucketRange,
    CompiledSplit,
    Share,
    Table,
    as_json,
    check_shares,
    from_json,
    move_table,
    moved,
    new_table,
    variant_of,
    weights_of,
)
from portal.lib.errors import InvalidInput

ARMS = ["stable", "canary", "shadow", "a", "b"]


def shares(**weights: int) -> list[Share]:
    return [Share(variant, weight) for variant, weight in weights.items()]


@st.composite
def some_shares(draw: st.DrawFn) -> list[Share]:
    """One to five distinct arms in any order, whose weights sum to 10 000; 0 is likely."""
    arms = draw(st.lists(st.sampled_from(ARMS), min_size=1, max_size=5, unique=True))
    cuts = draw(
        st.lists(
            st.integers(0, N_BUCKETS) | st.sampled_from([0, 100, 9_900, N_BUCKETS]),
            min_size=len(arms) - 1,
            max_size=len(arms) - 1,
        )
    )
    edges = [0, *sorted(cuts), N_BUCKETS]
    return [Share(arm, hi - lo) for arm, (lo, hi) in zip(arms, pairwise(edges), strict=True)]


def owners(table: Table) -> list[str]:
    owned = [""] * N_BUCKETS
    for lo, hi, variant in table:
        owned[lo:hi] = [variant] * (hi - lo)
    return owned


def weights(wanted: list[Share]) -> dict[str, int]:
    return {variant: weight for variant, weight in wanted if weight}


def test_new_table__three_arms__side_by_side_in_their_order() -> None:
    table = new_table(shares(stable=9_000, canary=0, b=1_000))
    assert table == (BucketRange(0, 9_000, "stable"), BucketRange(9_000, 10_000, "b"))


def test_move_table__canary_ramps_up_and_down__takes_highest_and_gives_back_lowest() -> None:
    table = new_table(shares(stable=10_000))
    seen = []
    for weight in (100, 500, 2_500, 500, 100, 0):
        table = move_table(table, shares(stable=10_000 - weight, canary=weight))
        seen.append(as_json(table)[1:])
    assert seen == [
        [[9_900, 10_000, "canary"]],
        [[9_500, 10_000, "canary"]],
        [[7_500, 10_000, "canary"]],
        [[9_500, 10_000, "canary"]],
        [[9_900, 10_000, "canary"]],
        [],
    ]
    assert as_json(table) == [[0, 10_000, "stable"]]


def test_move_table__arm_between_others__shrinks_last_in_first_out() -> None:
    table = new_table(shares(stable=9_000, b=1_000))
    table = move_table(table, shares(stable=8_500, b=1_000, c=500))
    table = move_table(table, shares(stable=8_000, b=1_500, c=500))
    assert as_json(table) == [[0, 8_000, "stable"], [9_000, 10_000, "b"], [8_000, 8_500, "b"], [8_500, 9_000, "c"]]
    table = move_table(table, shares(stable=8_700, b=800, c=500))
    assert as_json(table) == [
        [0, 8_500, "stable"],
        [9_000, 9_200, "stable"],
        [9_200, 10_000, "b"],
        [8_500, 9_000, "c"],
    ]
    table = move_table(table, shares(stable=8_400, b=800, c=800))
    assert as_json(table)[2:] == [[8_500, 9_000, "c"], [9_000, 9_200, "c"], [8_400, 8_500, "c"]]


def test_move_table__promotion__the_arm_that_is_left_owns_everything() -> None:
    table = new_table(shares(stable=9_000, canary=1_000))
    assert as_json(move_table(table, shares(canary=10_000))) == [[0, 10_000, "canary"]]
    assert as_json(move_table(table, shares(fresh=10_000))) == [[0, 10_000, "fresh"]]


@settings(max_examples=150, deadline=None)
@given(st.lists(some_shares(), min_size=2, max_size=6))
def test_move_table__any_history__exact_and_monotone(history: list[list[Share]]) -> None:
    table = new_table(history[0])
    before = owners(table)
    for wanted in history[1:]:
        old_weights, table = weights_of(table), move_table(table, wanted)
        new_weights, after = weights(wanted), owners(table)
        assert weights_of(table) == new_weights
        assert from_json(as_json(table)) == table
        moves = [(a, b) for a, b in zip(before, after, strict=True) if a != b]
        grown = {arm: new_weights[arm] - old_weights.get(arm, 0) for arm in new_weights}
        assert len(moves) == sum(growth for growth in grown.values() if growth > 0)
        # Whoever lost a bucket has less weight now, and whoever won one has more: nobody else is touched.
        assert all(new_weights.get(a, 0) < old_weights[a] for a, _ in moves)
        assert all(grown[b] > 0 for _, b in moves)
        before = after


@settings(max_examples=60, deadline=None)
@given(st.lists(some_shares(), min_size=2, max_size=8))
def test_move_table__any_history__arms_shrink_last_in_first_out(history: list[list[Share]]) -> None:
    table = new_table(history[0])
    arrived = [0] * N_BUCKETS
    for step, wanted in enumerate(history[1:], start=1):
        first_arm, before = table[0].variant, owners(table)
        table = move_table(table, wanted)
        after = owners(table)
        for arm in set(before) - {first_arm}:
            gone = [arrived[i] for i in range(N_BUCKETS) if before[i] == arm != after[i]]
            kept = [arrived[i] for i in range(N_BUCKETS) if before[i] == arm == after[i]]
            assert not gone or not kept or min(gone) >= max(kept)
        lost = [i for i in range(N_BUCKETS) if before[i] == first_arm != after[i]]
        stayed = [i for i in range(N_BUCKETS) if before[i] == first_arm == after[i]]
        assert not lost or not stayed or min(lost) > max(stayed)
        arrived = [step if a != b else at for a, b, at in zip(before, after, arrived, strict=True)]


@settings(max_examples=60, deadline=None)
@given(some_shares(), some_shares())
def test_compiled_split__any_table__agrees_with_the_ranges(first: list[Share], second: list[Share]) -> None:
    old = new_table(first)
    new = move_table(old, second)
    compiled, owned = CompiledSplit(new), owners(new)
    assert [compiled.variant_of(bucket) for bucket in range(N_BUCKETS)] == owned
    assert moved(old, new) == sum(a != b for a, b in zip(owners(old), owned, strict=True))


def test_variant_of__edges__lo_belongs_to_the_range_and_hi_does_not() -> None:
    table = new_table(shares(stable=9_000, canary=1_000))
    assert [variant_of(table, bucket) for bucket in (0, 8_999, 9_000, 9_999)] == [
        "stable",
        "stable",
        "canary",
        "canary",
    ]


@pytest.mark.parametrize(
    ("wanted", "code"),
    [
        ([], "no_shares"),
        (shares(stable=9_999), "weights_do_not_sum"),
        (shares(stable=9_000, canary=1_001), "weights_do_not_sum"),
        ([Share("stable", 5_000), Share("stable", 5_000)], "duplicate_variant"),
        (shares(stable=10_001), "invalid_weight"),
        (shares(stable=10_001, canary=-1), "invalid_weight"),
        ([Share("stable", 10_000.0)], "invalid_weight"),  # type: ignore[arg-type]
        ([Share("stable", "10000")], "invalid_weight"),  # type: ignore[arg-type]
        ([Share("stable", 9_999), Share("canary", True)], "invalid_weight"),
        ([Share("stable", None)], "invalid_weight"),  # type: ignore[arg-type]
        ([Share("Stable", 10_000)], "invalid_variant"),
        ([Share("", 10_000)], "invalid_variant"),
        ([Share("1st", 10_000)], "invalid_variant"),
        ([Share("a\n", 10_000)], "invalid_variant"),
        ([Share("a" * 33, 10_000)], "invalid_variant"),
        ([Share("a_b", 10_000)], "invalid_variant"),
        ([Share("<b>", 10_000)], "invalid_variant"),
        ([Share(None, 10_000)], "invalid_variant"),  # type: ignore[arg-type]
    ],
)
def test_check_shares__wrong__refused_with_its_code(wanted: list[Share], code: str) -> None:
    for act in (check_shares, new_table, lambda bad: move_table(new_table(shares(stable=10_000)), bad)):
        with pytest.raises(InvalidInput) as caught:
            act(wanted)
        assert caught.value.code == code


def test_check_shares__sum_is_wrong__says_both_sums() -> None:
    with pytest.raises(InvalidInput, match=r"^The weights sum to 9999 basis points; they must sum to 10 000\.$"):
        check_shares(shares(stable=9_000, canary=999))


def test_check_shares__longest_key_and_zero_weight__accepted() -> None:
    check_shares([Share("a" * 32, 10_000), Share("b-2", 0)])


@pytest.mark.parametrize(
    "data",
    [
        None,
        5,
        "stable",
        [],
        {},
        [[0, 10_000]],
        [[0, 9_999, "a"]],
        [[0, 5_000, "a"], [5_001, 10_000, "b"]],
        [[0, 5_001, "a"], [5_000, 10_000, "b"]],
        [[0, 10_000, "a"], [10_000, 10_000, "b"]],
        [[0, 10_000, "a"], [10_000, 10_001, "b"]],
        [[0.0, 10_000, "a"]],
        [[False, 10_000, "a"]],
        [["0", 10_000, "a"]],
        [[0, 10_000, "A"]],
        [[0, 10_000, None]],
        [[-1, 10_000, "a"]],
        [[0, 10_000, "a", 1]],
    ],
)
def test_from_json__not_a_whole_cover__refused(data: object) -> None:
    with pytest.raises(InvalidInput) as caught:
        from_json(data)
    assert caught.value.code == "invalid_table"
