"""The diff of two signatures: each kind of change on each side, with exact words."""

from __future__ import annotations

import pytest

from registry.artifacts.signature import Signature, TensorSpec
from registry.artifacts.signature_diff import Change, SignatureDiff, diff

X = TensorSpec("x", "FP32", (-1, 4))
Y = TensorSpec("y", "FP32", (-1, 3))


def _of(inputs: list[TensorSpec], outputs: list[TensorSpec]) -> Signature:
    return Signature(tuple(inputs), tuple(outputs))


BASE = _of([X], [Y])


def test_diff__same_signature__compatible_without_changes() -> None:
    assert diff(BASE, BASE) == SignatureDiff("compatible", ())
    assert diff(BASE, BASE).as_json() == {"kind": "compatible", "changes": []}


def test_diff__input_removed_and_another_added__both_break() -> None:
    found = diff(BASE, _of([TensorSpec("z", "INT64", (2,))], [Y]))
    assert found.kind == "breaking"
    assert found.breaks
    assert found.changes == (
        Change(
            "input",
            "x",
            "removed",
            "FP32 [any, 4]",
            "",
            "breaking",
            "It takes no input “x”: requests that send it are refused.",
        ),
        Change(
            "input",
            "z",
            "added",
            "",
            "INT64 [2]",
            "breaking",
            "It asks for a new input “z”: requests without it are refused.",
        ),
    )


@pytest.mark.parametrize(
    ("side", "before", "after", "kind"),
    [
        ("input", (-1, 4), (-1, -1), "widening"),
        ("input", (8, 4), (-1, 4), "widening"),
        ("input", (-1, 4), (8, 4), "breaking"),
        ("input", (-1, 4), (-1, 5), "breaking"),
        ("input", (-1, 4), (-1, 4, 1), "breaking"),
        ("input", (-1, 4), (4, -1), "breaking"),
        ("input", (), (1,), "breaking"),
        ("output", (-1, 3), (1, 3), "compatible"),
        ("output", (-1, 3), (-1, -1), "breaking"),
        ("output", (-1, 3), (-1, 2), "breaking"),
        ("output", (-1, 3), (-1,), "breaking"),
        ("output", (-1, 3), (), "breaking"),
    ],
)
def test_diff__shape__inputs_may_grow_and_outputs_shrink(
    side: str, before: tuple[int, ...], after: tuple[int, ...], kind: str
) -> None:
    specs = [TensorSpec("t", "FP32", shape) for shape in (before, after)]
    one, two = (_of([spec], [Y]) if side == "input" else _of([X], [spec]) for spec in specs)
    found = diff(one, two)
    assert [(change.side, change.name, change.what, change.kind) for change in found.changes] == [
        (side, "t", "shape", kind)
    ]
    assert found.kind == kind


def test_diff__datatype_and_shape_of_one_output__one_change_each() -> None:
    found = diff(BASE, _of([X], [TensorSpec("y", "INT64", (-1,))]))
    assert [(change.what, change.before, change.after) for change in found.breaking] == [
        ("datatype", "FP32", "INT64"),
        ("shape", "[any, 3]", "[any]"),
    ]
    assert found.changes[0].sentence == "The output “y” is INT64, no longer FP32."
    assert found.changes[1].sentence == (
        "The output “y” is [any], no longer [any, 3]: the number of dimensions is another."
    )


def test_diff__output_removed__breaks() -> None:
    found = diff(_of([X], [Y, TensorSpec("z", "BYTES", (-1,))]), BASE)
    assert [(change.name, change.what, change.before, change.kind) for change in found.changes] == [
        ("z", "removed", "BYTES [any]", "breaking")
    ]


def test_diff__second_output__widens_and_says_what_v1_makes_of_it() -> None:
    further = TensorSpec("z", "FP32", (-1,))
    found = diff(BASE, _of([X], [Y, further]))
    assert (found.kind, found.breaking) == ("widening", ())
    assert found.changes[0].sentence == (
        "It also gives “z”, which callers may leave aside. "
        "V1 answers hold an object by output name in place of a bare value from now on."
    )
    third = diff(_of([X], [Y, further]), _of([X], [Y, further, TensorSpec("w", "FP32", (1,))]))
    assert third.changes[0].sentence == "It also gives “w”, which callers may leave aside."


def test_diff__other_order__compatible_and_said() -> None:
    two = TensorSpec("b", "FP32", (1,))
    found = diff(_of([X, two], [Y]), _of([two, X], [Y]))
    assert found.changes == (
        Change(
            "input",
            "",
            "order",
            "x, b",
            "b, x",
            "compatible",
            "The inputs stand in another order, which matters only to callers that go by place and not by name.",
        ),
    )
    assert found.kind == "compatible"


def test_diff__worst_change_gives_the_kind__whatever_their_order() -> None:
    found = diff(BASE, _of([TensorSpec("x", "FP32", (-1, -1))], [TensorSpec("y", "FP64", (-1, 3))]))
    assert [change.kind for change in found.changes] == ["widening", "breaking"]
    assert found.kind == "breaking"
    assert [change.name for change in found.breaking] == ["y"]


def test_diff__two_inputs_changing__in_the_models_own_order() -> None:
    many = [TensorSpec(name, "FP32", (1,)) for name in "dacb"]
    found = diff(_of(many, [Y]), _of([TensorSpec(name, "FP64", (1,)) for name in "abcd"], [Y]))
    assert [change.name for change in found.changes] == ["d", "a", "c", "b", ""]
