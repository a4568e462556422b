"""Pictures as callers send them, 3 bytes a pixel, and as models want them: colours, layout. Pure numpy.

Nothing is decoded here: a caller sends pixels, rows from the top, red before green before blue, as every library that
opens a picture gives them. A model of grey pictures takes 1 byte a pixel too.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from inference.runtime.tensors import quoted
from portal.lib.errors import InvalidInput, Unprocessable
from registry.artifacts.signature import TensorSpec

# How bright red, green and blue look, in thousandths (ITU-R BT.601), as most libraries turn colours to grey.
RED, GREEN, BLUE = (np.uint32(part) for part in (299, 587, 114))


@dataclass(frozen=True, slots=True)
class Picture:
    """`width` and `height` in pixels, as the model takes them."""

    layout: str
    color: str
    width: int
    height: int
    name: str = ""

    @property
    def n_channels(self) -> int:
        return 1 if self.color == "GRAY" else 3

    def asked(self, spec: TensorSpec) -> TensorSpec:
        """The input as callers see it: [rows, height, width, 3] of bytes."""
        channels = -1 if self.color == "GRAY" else 3
        return TensorSpec(spec.name, "UINT8", (spec.shape[0], self.height, self.width, channels))

    def pixels(self, given: np.ndarray) -> np.ndarray:
        """[rows, height, width, channels] in the model's colours."""
        if self.color == "BGR":
            return given[..., ::-1]
        if self.color == "RGB" or given.shape[-1] == 1:
            return given
        if given.shape[-1] != 3:
            raise Unprocessable(f"Input {quoted(self.name)}: a pixel has 1 or 3 values.", code="wrong_shape")
        return _grey(given)[..., np.newaxis]

    def as_pixels(self, laid_out: np.ndarray) -> np.ndarray:
        """A view of what the model takes as [rows, height, width, channels]."""
        return laid_out.transpose(0, 2, 3, 1) if self.layout == "NCHW" else laid_out

    def shape_of(self, pixels: tuple[int, ...]) -> tuple[int, ...]:
        """Of [rows, height, width, channels] as the model takes them."""
        n_rows, height, width, channels = pixels
        return (n_rows, channels, height, width) if self.layout == "NCHW" else pixels

    def from_bytes(self, raw: bytes) -> np.ndarray:
        """One picture, [height, width, channels]. Raises InvalidInput."""
        n_pixels = self.width * self.height
        channels = 1 if self.color == "GRAY" and len(raw) == n_pixels else 3
        if len(raw) != n_pixels * channels:
            raise InvalidInput(
                f"Input {quoted(self.name)}: a picture is {self.width} x {self.height} pixels of 3 bytes, "
                f"{n_pixels * 3} bytes in all; {len(raw)} were sent. Send pixels, not a file.",
                code="wrong_shape",
            )
        return np.frombuffer(raw, np.uint8).reshape(self.height, self.width, channels)


def _grey(colours: np.ndarray) -> np.ndarray:
    """Rounded to the nearest, as bytes. The largest sum is a thousand times 255, so four bytes a pixel hold it."""
    result = colours[..., 0] * RED
    result += colours[..., 1] * GREEN
    result += colours[..., 2] * BLUE
    result += np.uint32(500)
    result //= np.uint32(1000)
    return result.astype(np.uint8)


def picture_of(spec: TensorSpec, image: Mapping[str, Any]) -> Picture:
    """Of an input without a `picture_fault`."""
    height, width, _channels = _sides(spec, image["layout"])
    width = width if width > 0 else image["width"]
    height = height if height > 0 else image["height"]
    return Picture(image["layout"], image["color"], width, height, spec.name)


def picture_fault(spec: TensorSpec, image: Mapping[str, Any]) -> str:
    """Why pictures cannot be laid out for this input; empty if they can."""
    if len(spec.shape) != 4 or spec.datatype in ("BYTES", "BOOL", "BF16"):
        return "a picture needs four dimensions of numbers: rows, channels, height and width"
    if spec.datatype == "INT8":
        return "INT8 cannot hold the bytes of a picture"
    height, width, channels = _sides(spec, image["layout"])
    wanted = 1 if image["color"] == "GRAY" else 3
    if channels not in (-1, wanted):
        return f"{image['color']} in {image['layout']} has {wanted} channels, the model takes {channels}"
    for side, size in (("height", height), ("width", width)):
        if size == -1 and side not in image:
            return f"the model leaves the {side} open, so the manifest has to say it"
        if size not in (-1, image.get(side, size)):
            return f"its {side} is {size}, the manifest says {image[side]}"
    return ""


def _sides(spec: TensorSpec, layout: str) -> tuple[int, int, int]:
    """(height, width, channels), -1 for what is open."""
    _rows, *rest = spec.shape
    if layout == "NCHW":
        return rest[1], rest[2], rest[0]
    return rest[0], rest[1], rest[2]
