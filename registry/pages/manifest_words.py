"""What travels with a version, in words: for the aside of its page."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from django.utils.translation import gettext as _

MOST_NAMES = 12
MOST_NUMBERS = 4


class Part(NamedTuple):
    """Of one tensor: `lines` are sentences, `names` those of its classes or features, `n_more` those left out."""

    tensor: str
    lines: list[str]
    names: list[str]
    n_more: int


def manifest_parts(manifest: Mapping[str, Any]) -> list[Part]:
    inputs = [_input(name, part) for name, part in manifest.get("inputs", {}).items()]
    return inputs + [_part(name, [], names) for name, names in manifest.get("labels", {}).items()]


def _input(name: str, part: Mapping[str, Any]) -> Part:
    lines = []
    if image := part.get("image"):
        size = f" {image['width']} x {image['height']}" if "width" in image and "height" in image else ""
        lines.append(_("Pictures%(size)s in %(color)s, %(layout)s") % {**image, "size": size})
    words = {"scale": _("times %(n)s"), "mean": _("minus %(n)s"), "std": _("divided by %(n)s")}
    sums = [words[key] % {"n": _numbers(part[key])} for key in words if key in part]
    if sums:
        lines.append(", ".join(sums))
    return _part(name, lines, part.get("features", []))


def _part(tensor: str, lines: list[str], names: list[str]) -> Part:
    return Part(tensor, lines, names[:MOST_NAMES], max(0, len(names) - MOST_NAMES))


def _numbers(value: float | list[float]) -> str:
    if not isinstance(value, list):
        return f"{value:.6g}"
    shown = ", ".join(f"{number:.6g}" for number in value[:MOST_NUMBERS])
    return f"[{shown}{', …' if len(value) > MOST_NUMBERS else ''}]"
