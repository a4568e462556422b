"""A version's manifest at work: what a caller sends becomes what the model gets, and classes get their names. Pure.

Used wherever people and programs send plain values: Try it, V1 and batch jobs. V2 carries the model's own tensors.
`docs/manifest.md` has the rules; the manifest itself is checked in `registry/artifacts/manifest.py`, but only here is
it held against a signature, as it is uploaded before the signature is known.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from math import prod
from typing import Any

import numpy as np

from inference.protocol.datatypes import FLOATS
from inference.protocol.pictures import Picture, picture_fault, picture_of
from inference.runtime.tensors import DTYPES, quoted
from portal.lib.errors import Unprocessable
from registry.artifacts.signature import Signature, TensorSpec

# Values that are scaled at a time.
MOST_AT_ONCE = 1 << 20
Labels = Mapping[str, Sequence[str]]
Place = tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class Step:
    """For one input: `(value * scale - mean) / std`, after the picture was laid out. Arrays go with the last axis."""

    spec: TensorSpec
    asked: TensorSpec
    scale: np.ndarray | None = None
    mean: np.ndarray | None = None
    std: np.ndarray | None = None
    picture: Picture | None = None

    def apply(self, given: np.ndarray) -> np.ndarray:
        """Raises Unprocessable. Computed in double precision, a piece at a time: a large picture is nowhere in full but
        as it came and as the model takes it."""
        values = self.picture.pixels(given) if self.picture else given
        shape = self.picture.shape_of(values.shape) if self.picture else values.shape
        array = np.empty(shape, DTYPES[self.spec.datatype])
        target = self.picture.as_pixels(array) if self.picture else array
        for place in places(values.shape):
            self._fill(target, values, place)
        return array

    @property
    def is_scaling(self) -> bool:
        return self.scale is not None or self.mean is not None or self.std is not None

    def _fill(self, target: np.ndarray, values: np.ndarray, place: Place) -> None:
        if not self.is_scaling:
            target[place] = values[place]
            return
        with np.errstate(over="ignore", invalid="ignore"):
            target[place] = self._scaled(values[place])
        if (np.isfinite(values[place]) & ~np.isfinite(target[place])).any():
            raise Unprocessable(
                f"Input {quoted(self.spec.name)}: scaled as the manifest says, a value is more than "
                f"{self.spec.datatype} can hold.",
                code="out_of_range",
            )

    def _scaled(self, values: np.ndarray) -> np.ndarray:
        result = values.astype(np.float64)
        if self.scale is not None:
            result *= self.scale
        if self.mean is not None:
            result -= self.mean
        if self.std is not None:
            result /= self.std
        return result


def places(shape: tuple[int, ...], most: int = MOST_AT_ONCE) -> Iterator[Place]:
    """Indexes of pieces that make up the whole, each of at most so many values; the last axis is never cut."""
    if len(shape) < 2 or prod(shape) <= most:
        yield (...,)
    elif (inner := prod(shape[1:])) <= most:
        step = most // inner
        yield from ((slice(start, start + step),) for start in range(0, shape[0], step))
    else:
        yield from ((row, *rest) for row in range(shape[0]) for rest in places(shape[1:], most))


@dataclass(frozen=True, slots=True)
class Travels:
    """A manifest held against a signature. `asked` is the signature as callers see it.

    `faults` are sentences on what does not fit. `broken` are those that make an input wrong; with one of them nothing
    is prepared, as an answer to a wrongly scaled value looks like any other.
    """

    asked: Signature
    steps: Mapping[str, Step] = field(default_factory=dict)
    features: Mapping[str, Sequence[str]] = field(default_factory=dict)
    labels: Labels = field(default_factory=dict)
    faults: tuple[str, ...] = ()
    broken: tuple[str, ...] = ()

    @property
    def is_preparing(self) -> bool:
        """Whether what a caller sends differs from what the model gets."""
        return bool(self.steps or self.broken)

    def check(self) -> None:
        """Raises Unprocessable where the manifest does not fit the model's inputs."""
        if self.broken:
            raise Unprocessable(
                f"{self.broken[0]} Upload the version again with a manifest that fits, or send tensors with V2.",
                code="manifest_mismatch",
            )

    def prepared(self, inputs: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        """What the model gets. Raises Unprocessable."""
        self.check()
        return {name: self.steps[name].apply(array) if name in self.steps else array for name, array in inputs.items()}


def travels_with(signature: Signature, manifest: Mapping[str, Any]) -> Travels:
    specs = {spec.name: spec for spec in signature.inputs}
    steps, features, faults, broken = {}, {}, [], []
    for name, part in manifest.get("inputs", {}).items():
        spec = specs.get(name)
        if spec is None:
            broken.append(f"The manifest describes the input {quoted(name)}, which the model does not have.")
            continue
        wrong = _fault(spec, part)
        if wrong:
            broken.append(f"The manifest does not fit the input {quoted(name)}: {wrong}.")
        elif part.keys() - {"features"}:
            steps[name] = _step(spec, part)
        if "features" in part:
            features[name] = part["features"]
            if spec.shape[-1:] != (len(part["features"]),):
                faults.append(
                    f"The manifest names {len(part['features'])} features of {quoted(name)}: they do not fit."
                )
                del features[name]
    labels, wrong_labels = _labels(signature.outputs, manifest.get("labels", {}))
    asked = tuple(steps[spec.name].asked if spec.name in steps else spec for spec in signature.inputs)
    return Travels(
        Signature(asked, signature.outputs),
        steps,
        features,
        labels,
        (*broken, *faults, *wrong_labels),
        tuple(broken),
    )


def _fault(spec: TensorSpec, part: Mapping[str, Any]) -> str:
    """Why this part cannot be applied to this input; empty if it can."""
    scaled = [key for key in ("scale", "mean", "std") if key in part]
    if scaled and spec.datatype not in FLOATS:
        return f"it takes {spec.datatype}, and only floating-point numbers are scaled"
    if "image" in part and (wrong := picture_fault(spec, part["image"])):
        return wrong
    n_values = _n_values(spec, part)
    for key in scaled:
        if isinstance(part[key], list) and len(part[key]) != n_values:
            return f"{key} has {len(part[key])} numbers where {'one' if n_values < 2 else n_values} would fit"
    return ""


def _n_values(spec: TensorSpec, part: Mapping[str, Any]) -> int:
    """Channels of an image, or features of a row; 0 where a list cannot be matched with anything."""
    if "image" in part:
        return 1 if part["image"]["color"] == "GRAY" else 3
    return spec.shape[-1] if len(spec.shape) > 1 and spec.shape[-1] > 0 else 0


def _step(spec: TensorSpec, part: Mapping[str, Any]) -> Step:
    picture = picture_of(spec, part["image"]) if "image" in part else None
    asked = picture.asked(spec) if picture else spec
    return Step(spec, asked, _array(part.get("scale")), _array(part.get("mean")), _array(part.get("std")), picture)


def _array(numbers: float | list[float] | None) -> np.ndarray | None:
    return None if numbers is None else np.asarray(numbers, np.float64)


def _labels(outputs: Sequence[TensorSpec], given: Labels) -> tuple[Labels, list[str]]:
    known = {spec.name: spec for spec in outputs}
    wrong = [f"The manifest labels {quoted(name)}, which is no output of the model." for name in given.keys() - known]
    for name in given.keys() & known:
        spec = known[name]
        if spec.datatype == "BYTES":
            wrong.append(f"The manifest labels the output {quoted(name)}, which gives texts already.")
        elif len(spec.shape) == 2 and spec.shape[1] not in (-1, 1, len(given[name])):
            wrong.append(
                f"The manifest has {len(given[name])} labels for the output {quoted(name)} of {spec.shape[1]} values."
            )
        else:
            continue
        known.pop(name)
    return {name: given[name] for name in given if name in known}, sorted(wrong)


def label_texts(labels: Sequence[str], array: np.ndarray) -> list[str | None]:
    """The name of each row's class: of the index that the row holds, or of the largest of its scores. None where the
    row holds neither."""
    n_rows = array.shape[0] if array.ndim else 1
    rows = array.reshape(n_rows, array.size // n_rows if n_rows else 0)
    if rows.shape[1] == 1 and rows.dtype.kind in "iub":
        indexes = [int(value) for value in rows[:, 0]]
    elif rows.shape[1] == len(labels) > 1 and rows.dtype.kind in "iuf":
        indexes = [-1 if bad else int(best) for bad, best in zip(_nan_rows(rows), rows.argmax(1), strict=True)]
    else:
        indexes = [-1] * n_rows
    return [labels[index] if 0 <= index < len(labels) else None for index in indexes]


def _nan_rows(rows: np.ndarray) -> Sequence[bool]:
    return np.isnan(rows).any(1).tolist() if rows.dtype.kind == "f" else [False] * len(rows)
