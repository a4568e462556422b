"""How one row of a file becomes the model's inputs. Frozen in the job when its file is cut."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import prod
from typing import Any

from inference.batch.faults import BadFile, shown
from inference.batch.values import SUPPORTED
from registry.artifacts.signature import Signature, TensorSpec

FREE = -1


@dataclass(frozen=True, slots=True)
class InputLayout:
    """`shape` is that of one row and holds -1 where rows may differ. `columns` are positions in a CSV row.

    `stacked` inputs have a free first dimension, along which rows are put together; others take one row whole.
    `features` are names for the values of a row, where the version's manifest has some.
    """

    name: str
    datatype: str
    shape: tuple[int, ...]
    stacked: bool
    columns: tuple[int, ...] = ()
    features: tuple[str, ...] = ()

    @property
    def width(self) -> int | None:
        return None if FREE in self.shape else prod(self.shape)


@dataclass(frozen=True, slots=True)
class Layout:
    """`delimiter`, `n_columns` and `header` are for CSV alone. Row by row where rows may not share a run."""

    inputs: tuple[InputLayout, ...]
    row_by_row: bool
    delimiter: str = ","
    n_columns: int = 0
    header: bool = True

    def as_json(self) -> dict[str, Any]:
        return {
            "inputs": [
                {
                    "name": i.name,
                    "datatype": i.datatype,
                    "shape": i.shape,
                    "stacked": i.stacked,
                    "columns": i.columns,
                    "features": i.features,
                }
                for i in self.inputs
            ],
            "row_by_row": self.row_by_row,
            "delimiter": self.delimiter,
            "n_columns": self.n_columns,
            "header": self.header,
        }

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Layout:
        inputs = tuple(
            InputLayout(
                i["name"],
                i["datatype"],
                tuple(i["shape"]),
                i["stacked"],
                tuple(i["columns"]),
                # Jobs from before there were features have none.
                tuple(i.get("features", ())),
            )
            for i in data["inputs"]
        )
        return cls(inputs, data["row_by_row"], data["delimiter"], data["n_columns"], data["header"])


def layout_of(
    signature: Signature, *, rows_mix: bool = False, features: Mapping[str, Sequence[str]] | None = None
) -> Layout:
    """The layout before any file is seen. `rows_mix`: a row's answer depends on its neighbours. Raises BadFile."""
    for spec in (*signature.inputs, *signature.outputs):
        if spec.datatype not in SUPPORTED:
            reason = f"{shown(spec.name)} is {spec.datatype}, which a job cannot read or write."
            raise BadFile("unsupported_datatype", reason)
    inputs = tuple(_input(spec, (features or {}).get(spec.name, ())) for spec in signature.inputs)
    stacked_outputs = all(spec.shape and spec.shape[0] == FREE for spec in signature.outputs)
    together = stacked_outputs and all(item.stacked for item in inputs)
    return Layout(inputs, row_by_row=rows_mix or not together)


def output_shape(spec: TensorSpec, *, row_by_row: bool) -> tuple[int, ...]:
    """The shape of one row's part of an output."""
    free_or_one = (FREE, 1) if row_by_row else (FREE,)
    return spec.shape[1:] if spec.shape and spec.shape[0] in free_or_one else spec.shape


def column_names(name: str, width: int | None) -> list[str]:
    """`X` where a row holds one number, `X_0 ... X_k` where it holds a vector."""
    return [name] if width in (1, None) else [f"{name}_{index}" for index in range(width or 0)]


def _input(spec: TensorSpec, features: Sequence[str]) -> InputLayout:
    stacked = bool(spec.shape) and spec.shape[0] == FREE
    shape = spec.shape[1:] if stacked else spec.shape
    named = tuple(features) if prod(shape) == len(features) else ()
    return InputLayout(spec.name, spec.datatype, shape, stacked, features=named)


def settle_shape(item: InputLayout, n_columns: int) -> tuple[int, ...]:
    """The row shape with its free dimension filled in from the number of columns. Raises BadFile."""
    if FREE not in item.shape:
        return item.shape
    fixed = prod(size for size in item.shape if size != FREE)
    if item.shape.count(FREE) > 1 or not fixed or n_columns % fixed:
        raise BadFile(
            "unsupported_shape",
            f"The columns of {shown(item.name)} cannot be laid out as {list(item.shape)}: send JSONL instead.",
        )
    return tuple(n_columns // fixed if size == FREE else size for size in item.shape)


def listed(names: Sequence[str], limit: int = 12) -> str:
    """The names for a sentence, the middle left out where there are many."""
    shortened = [name if len(name) <= 40 else name[:39] + "…" for name in names]
    if len(shortened) > limit:
        shortened = [*shortened[: limit - 2], "…", shortened[-1]]
    return ", ".join(shortened) or "none"
