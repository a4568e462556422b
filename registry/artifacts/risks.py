"""What an honest model may still do to a serving process, depending on its inputs. Runs in the sandbox child only.

Found by following values from the inputs; what cannot be told is taken to be at risk. An author who wants to harm can
hide from this, behind arithmetic on shapes for instance: it is there to spare the many models that are harmless.
"""

from __future__ import annotations

from functools import cached_property

import numpy as np
import onnx
from onnx import TensorProto, numpy_helper

from registry.artifacts.dataflow import REPEATING, Flow, Seen, Value, number
from registry.artifacts.inferred import Inferred

_DIVISIONS = {"Div", "Mod"}
_INTEGERS = {TensorProto.INT8, TensorProto.INT16, TensorProto.INT32, TensorProto.INT64}
# The inputs by position that say how big an output gets. Reshape is not among them: it neither adds nor drops values.
_SIZES: dict[str, tuple[int, ...]] = {
    "AffineGrid": (1,),
    "BlackmanWindow": (0,),
    "CenterCropPad": (1,),
    "Col2Im": (1, 2),
    "ConstantOfShape": (0,),
    "CropAndResize": (3,),
    "DFT": (1,),
    "Expand": (1,),
    "HammingWindow": (0,),
    "HannWindow": (0,),
    "ImageDecoder": (0,),
    "MaxUnpool": (2,),
    "MelWeightMatrix": (0, 1),
    "OneHot": (1,),
    "Pad": (1,),
    "Range": (0, 1, 2),
    "Resize": (1, 2, 3),
    "STFT": (1, 3),
    "Tile": (1, 2),
    "Upsample": (1,),
}
# A Loop of so many trips ends soon, whatever its inputs are.
_MAX_TRIPS = 10_000
# Each may double a text: six of them make at most 64 of one.
_MAX_CONCATENATIONS = 6


def risks(model: onnx.ModelProto) -> list[str]:
    """The codes that apply, in this order.

    `loop`: may run as long as its inputs say. `integer_division`: the smallest number by -1 kills a process.
    `dynamic_size`: a value of the inputs says how much memory is taken. `text_growth`: texts grow by a large factor.
    """
    search = _Search(model)
    search.run()
    return [code for code in ("loop", "integer_division", "dynamic_size", "text_growth") if code in search.found]


class _Search:
    def __init__(self, model: onnx.ModelProto) -> None:
        self._model = model
        self._concatenations = 0
        self.found: set[str] = set()

    def run(self) -> None:
        Flow(self._model, self._look, self._trips).follow(self._model.graph)

    @cached_property
    def _inferred(self) -> Inferred:
        return Inferred(self._model)

    def _look(self, seen: Seen) -> None:
        operator = seen.node.op_type
        if operator in REPEATING and not self._ends_soon(seen):
            self.found.add("loop")
        if operator in _DIVISIONS and "integer_division" not in self.found and self._divides_integers(seen):
            self.found.add("integer_division")
        if any(seen.value(position).from_caller for position in _SIZES.get(operator, ())):
            self.found.add("dynamic_size")
        if operator == "StringConcat" and any(value.from_caller for value in seen.inputs):
            self._concatenations += seen.times or 1
            if self._concatenations > _MAX_CONCATENATIONS:
                self.found.add("text_growth")

    def _ends_soon(self, seen: Seen) -> bool:
        trips = self._trips(seen)
        return trips is not None and seen.times is not None and trips * seen.times <= _MAX_TRIPS

    def _trips(self, seen: Seen) -> int | None:
        if seen.node.op_type == "Loop":
            # Its condition may end it earlier, never later.
            return number(seen.value(0)) if seen.node.input else None
        if seen.node.op_type == "Scan":
            return self._inferred.scan_length(seen.node)
        return None

    def _divides_integers(self, seen: Seen) -> bool:
        """Not floats, not by a harmless constant, and not shapes by shapes."""
        if len(seen.inputs) < 2 or _is_harmless(seen.inputs[1]):
            return False
        if not any(value.from_caller for value in seen.inputs):
            return False
        return self._inferred.types.get(seen.node.input[0], TensorProto.INT64) in _INTEGERS


def _is_harmless(divisor: Value) -> bool:
    """A constant that is a float, or an integer other than 0 and -1."""
    if divisor.constant is None:
        return False
    if divisor.constant.data_type not in _INTEGERS:
        return True
    try:
        return not bool(np.isin(numpy_helper.to_array(divisor.constant), (0, -1)).any())
    except (ValueError, TypeError):
        return False
