"""What changes for callers when they are answered by another version. Pure: no Django, no ONNX.

What goes in may only grow, what comes out may only shrink: a free dimension (-1) of an input takes all that a fixed one
took, and an output that becomes fixed gives nothing that a caller of the free one did not expect. The other way round
breaks callers, as does everything that is taken away, asked for anew, or of another datatype or rank.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from typing import Any

from registry.artifacts.signature import Signature, TensorSpec

COMPATIBLE = "compatible"
WIDENING = "widening"
BREAKING = "breaking"
_ORDER = (COMPATIBLE, WIDENING, BREAKING)
INPUT, OUTPUT = "input", "output"


@dataclass(frozen=True, slots=True)
class Change:
    """One thing that is otherwise.

    `side` is "input" or "output", `what` "added", "removed", "datatype", "shape" or "order". `before` and `after` are
    texts for people such as "FP32", "[any, 4]", "FP32 [any, 4]" or "b, a", and empty where there is nothing. `sentence`
    says what it means for callers.
    """

    side: str
    name: str
    what: str
    before: str
    after: str
    kind: str
    sentence: str

    def as_json(self) -> dict[str, str]:
        return asdict(self)


@dataclass(frozen=True, slots=True)
class SignatureDiff:
    """`kind` is the worst of the changes', and "compatible" where there are none."""

    kind: str
    changes: tuple[Change, ...]

    @property
    def breaks(self) -> bool:
        return self.kind == BREAKING

    @property
    def breaking(self) -> tuple[Change, ...]:
        return tuple(change for change in self.changes if change.kind == BREAKING)

    def as_json(self) -> dict[str, Any]:
        return {"kind": self.kind, "changes": [change.as_json() for change in self.changes]}


def diff(before: Signature, after: Signature) -> SignatureDiff:
    """Inputs first, then outputs; each in the order of `before`, then what is new in the order of `after`."""
    changes = (*_side(INPUT, before.inputs, after.inputs), *_side(OUTPUT, before.outputs, after.outputs))
    return SignatureDiff(max((change.kind for change in changes), key=_ORDER.index, default=COMPATIBLE), changes)


def _side(side: str, before: tuple[TensorSpec, ...], after: tuple[TensorSpec, ...]) -> Iterator[Change]:
    old, new = _by_name(before), _by_name(after)
    for name, spec in old.items():
        if name in new:
            yield from _changed(side, spec, new[name])
        else:
            yield Change(side, name, "removed", _text(spec), "", BREAKING, _removed(side, name))
    for name, spec in new.items():
        if name not in old:
            yield _added(side, spec, len(old))
    if old.keys() == new.keys() and list(old) != list(new):
        yield _reordered(side, list(old), list(new))


def _by_name(specs: Iterable[TensorSpec]) -> dict[str, TensorSpec]:
    return {spec.name: spec for spec in specs}


def _text(spec: TensorSpec) -> str:
    return f"{spec.datatype} {_shape(spec.shape)}"


def _shape(sizes: tuple[int, ...]) -> str:
    """(-1, 4) -> [any, 4], as the pages have it."""
    return "[" + ", ".join("any" if size == -1 else str(size) for size in sizes) + "]"


def _removed(side: str, name: str) -> str:
    if side == INPUT:
        return f"It takes no input “{name}”: requests that send it are refused."
    return f"It gives no output “{name}”: callers that read it find nothing."


def _added(side: str, spec: TensorSpec, n_before: int) -> Change:
    if side == INPUT:
        kind = BREAKING
        sentence = f"It asks for a new input “{spec.name}”: requests without it are refused."
    else:
        kind = WIDENING
        sentence = f"It also gives “{spec.name}”, which callers may leave aside."
        if n_before == 1:
            sentence += " V1 answers hold an object by output name in place of a bare value from now on."
    return Change(side, spec.name, "added", "", _text(spec), kind, sentence)


def _changed(side: str, before: TensorSpec, after: TensorSpec) -> Iterator[Change]:
    if before.datatype != after.datatype:
        sentence = f"The {side} “{before.name}” is {after.datatype}, no longer {before.datatype}."
        yield Change(side, before.name, "datatype", before.datatype, after.datatype, BREAKING, sentence)
    if before.shape != after.shape:
        old, new = _shape(before.shape), _shape(after.shape)
        kind, why = _reshaped(side, before.shape, after.shape)
        sentence = f"The {side} “{before.name}” is {new}, no longer {old}: {why}."
        yield Change(side, before.name, "shape", old, new, kind, sentence)


def _reshaped(side: str, before: tuple[int, ...], after: tuple[int, ...]) -> tuple[str, str]:
    """The kind, and why in a few words."""
    if len(before) != len(after):
        return BREAKING, "the number of dimensions is another"
    if side == INPUT:
        if _holds(after, before):
            return WIDENING, "it takes all that fitted before, and more"
        return BREAKING, "requests that fitted are refused"
    if _holds(before, after):
        return COMPATIBLE, "what comes is one of the shapes that came before"
    return BREAKING, "callers may get shapes that they do not expect"


def _holds(wide: tuple[int, ...], narrow: tuple[int, ...]) -> bool:
    """Whether every tensor of the shape `narrow` is one of the shape `wide`. Both have the same rank."""
    return all(to in (-1, size) for to, size in zip(wide, narrow, strict=True))


def _reordered(side: str, before: list[str], after: list[str]) -> Change:
    sentence = f"The {side}s stand in another order, which matters only to callers that go by place and not by name."
    return Change(side, "", "order", ", ".join(before), ", ".join(after), COMPATIBLE, sentence)
