"""What travels with a version: names of labels, scaling of inputs, layout of images, a good example. Pure.

    {"labels": {"label": ["setosa", "versicolor", "virginica"]},
     "inputs": {"X": {"features": ["sepal length", "sepal width"], "scale": 0.1, "mean": [5.8, 3.1], "std": [0.8, 0.4]},
                "picture": {"image": {"layout": "NCHW", "color": "RGB", "width": 224, "height": 224}, "scale": 0.0039}},
     "example": {"X": [5.9, 3.0]}}

Every part is optional. `labels` are by output and name its classes from 0 on. What a caller sends becomes what the
model gets as `(value * scale - mean) / std`. `docs/manifest.md` tells users.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from math import isfinite
from typing import Any

from portal.lib.errors import InvalidInput

MAX_BYTES = 1 << 20
MAX_TENSORS = 64
MAX_NAME = 1_000
MAX_LABEL = 200
MAX_LIST = 20_000
MAX_EXAMPLE = 4_096
MAX_SIDE = 8_192
LAYOUTS = ("NCHW", "NHWC")
COLORS = ("RGB", "BGR", "GRAY")
# Quotients by less overflow to infinity for the values that images and tables hold.
SMALLEST_STD = 1e-30


def check_manifest(value: Any) -> dict[str, Any]:
    """What `ModelVersion.manifest` keeps: only known keys, empty parts left out. Raises InvalidInput."""
    parts: dict[str, Callable[[Any, str], Any]] = {"labels": _names, "inputs": _input, "example": _example}
    given = _object(value, "manifest", tuple(parts))
    if _n_bytes(value) > MAX_BYTES:
        raise _wrong("manifest", f"is larger than {MAX_BYTES >> 10} KiB")
    checked = {key: _by_tensor(given[key], key, check) for key, check in parts.items() if key in given}
    return {key: part for key, part in checked.items() if part}


def with_report_labels(manifest: dict[str, Any], facts: dict[str, Any]) -> dict[str, Any]:
    """The manifest with the class labels that validation found in the file. What the uploader says comes first."""
    found = facts.get("labels")
    if not found or not isinstance(found, dict):
        return manifest
    named = {output: [str(name) for name in names] for output, names in found.items() if isinstance(names, list)}
    return {**manifest, "labels": {**named, **manifest.get("labels", {})}}


def _by_tensor(value: Any, where: str, check: Callable[[Any, str], Any]) -> dict[str, Any]:
    tensors = _object(value, where)
    if len(tensors) > MAX_TENSORS:
        raise _wrong(where, f"names more than {MAX_TENSORS} tensors")
    for name in tensors:
        _text(name, where, MAX_NAME)
    return {name: check(part, f"{where}.{name}") for name, part in tensors.items()}


def _names(value: Any, where: str) -> list[str]:
    items = _list(value, where)
    return [_text(item, where, MAX_LABEL) for item in items]


def _input(value: Any, where: str) -> dict[str, Any]:
    given = _object(value, where, ("features", "scale", "mean", "std", "image"))
    checked: dict[str, Any] = {}
    if "features" in given:
        checked["features"] = _names(given["features"], f"{where}.features")
        if len(set(checked["features"])) < len(checked["features"]):
            raise _wrong(f"{where}.features", "has a name twice")
    for key in ("scale", "mean", "std"):
        if key in given:
            checked[key] = _numbers(given[key], f"{where}.{key}", positive=key == "std")
    if "image" in given:
        checked["image"] = _image(given["image"], f"{where}.image")
    return checked


def _image(value: Any, where: str) -> dict[str, Any]:
    given = _object(value, where, ("layout", "color", "width", "height"))
    checked: dict[str, Any] = {
        "layout": _one_of(given.get("layout", "NCHW"), f"{where}.layout", LAYOUTS),
        "color": _one_of(given.get("color", "RGB"), f"{where}.color", COLORS),
    }
    for key in ("width", "height"):
        if key in given:
            if type(given[key]) is not int or not 0 < given[key] <= MAX_SIDE:
                raise _wrong(f"{where}.{key}", f"has to be a number of pixels from 1 to {MAX_SIDE}")
            checked[key] = given[key]
    return checked


def _example(value: Any, where: str) -> list[Any]:
    """One row's values as a caller would send them, flat."""
    items = _list(value, where, MAX_EXAMPLE)
    for item in items:
        if type(item) is str:
            _text(item, where, MAX_EXAMPLE, may_be_empty=True)
        elif type(item) is not bool and not _is_number(item):
            raise _wrong(where, "has to be a flat list of numbers, texts or true and false")
    return items


def _numbers(value: Any, where: str, *, positive: bool) -> float | list[float]:
    items = _list(value, where) if isinstance(value, list) else [value]
    for item in items:
        if not _is_number(item):
            raise _wrong(where, "has to be a number, or a list with a number for each channel or feature")
        if positive and item < SMALLEST_STD:
            raise _wrong(where, "has to be more than 0")
    return [float(item) for item in items] if isinstance(value, list) else float(value)


def _is_number(value: Any) -> bool:
    try:
        return type(value) in (int, float) and isfinite(value)
    except OverflowError:
        return False


def _one_of(value: Any, where: str, allowed: tuple[str, ...]) -> str:
    if type(value) is not str or value not in allowed:
        raise _wrong(where, f"has to be one of {', '.join(allowed)}")
    return value


def _list(value: Any, where: str, most: int = MAX_LIST) -> list[Any]:
    if type(value) is not list or not 0 < len(value) <= most:
        raise _wrong(where, f"has to be a list of 1 to {most} values")
    return value


def _object(value: Any, where: str, allowed: tuple[str, ...] | None = None) -> dict[str, Any]:
    """An unknown key is refused, as it is most often a slip of the pen that would do nothing."""
    if type(value) is not dict:
        raise _wrong(where, "has to be a JSON object")
    unknown = next((key for key in value if allowed is not None and key not in allowed), None)
    if unknown is not None:
        raise _wrong(where, f"has the key “{_shown(unknown)}”; it may have {', '.join(allowed or ())}")
    return value


def _text(value: Any, where: str, most: int, *, may_be_empty: bool = False) -> str:
    """Nothing that PostgreSQL, UTF-8 or a page cannot hold."""
    if type(value) is not str or len(value) > most or not (value or may_be_empty):
        raise _wrong(where, f"has to hold texts of 1 to {most} characters")
    if any(character < " " or "\ud800" <= character <= "\udfff" for character in value):
        raise _wrong(where, "holds a control character or half of a pair of surrogates")
    return value


def _n_bytes(value: Any) -> int:
    try:
        return len(json.dumps(value))
    except (TypeError, ValueError, RecursionError):
        raise _wrong("manifest", "has to be a JSON object") from None


def _wrong(where: str, what: str) -> InvalidInput:
    return InvalidInput(
        f"The manifest is not right: “{_shown(where)}” {what}.",
        code="invalid_manifest",
        details={"field": "manifest", "at": _shown(where)},
    )


def _shown(text: Any) -> str:
    """Of a name that somebody sent: short, and printable, so that it can stand in a sentence and in a log."""
    text = "".join(character if character.isprintable() else "�" for character in str(text))
    return text if len(text) <= 80 else text[:79] + "…"
