"""What a prediction asks for, whatever wire format it came in."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np


class OutputForm(NamedTuple):
    """How one output is to be answered. `n_classes` > 0: its largest values with their indexes, not the tensor."""

    binary: bool = False
    n_classes: int = 0


PLAIN = OutputForm()


class InferRequest(NamedTuple):
    """`outputs` holds the names asked for, in that order, or None for all.

    `priority` is 0 where none was given, else 1 is the highest. `forms` goes with `outputs`; None is the plain form for
    each. `binary` is the form of all where none is named. `columnar` belongs to V1: the request had `inputs`, so that
    the answer has `outputs` and not rows. `labels` are the names of classes by output, where they are to be answered.
    """

    id: str | None
    inputs: dict[str, np.ndarray]
    outputs: tuple[str, ...] | None
    parameters: dict[str, Any]
    timeout_seconds: float | None = None
    priority: int = 0
    forms: tuple[OutputForm, ...] | None = None
    binary: bool = False
    columnar: bool = False
    labels: Mapping[str, Sequence[str]] | None = None


def plain_request(inputs: dict[str, np.ndarray]) -> InferRequest:
    """All outputs in the plain form, and nothing said beside. Quicker than the constructor: this is the hot path."""
    return tuple.__new__(InferRequest, (None, inputs, None, {}, None, 0, None, False, False, None))
