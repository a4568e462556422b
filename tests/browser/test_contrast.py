"""The colours of `variables.css` against WCAG 2.2 AA: 4.5 for text, 3 for what bounds a control or fills an arm."""

from __future__ import annotations

import re
from math import cos, radians, sin

import pytest

from tests.flows.portal import ROOT

CSS = ROOT / "portal" / "static" / "portal" / "css"
NUMBER = r"([\d.]+)"

Rgb = tuple[float, float, float]

SURFACES = ("page", "rail", "surface", "surface-raised", "surface-sunken", "hover")
TEXT = [
    *((ink, ground) for ink in ("text", "text-muted", "accent") for ground in SURFACES),
    ("accent-ink", "accent"),
    ("accent-ink", "accent-strong"),
    ("accent-strong", "accent-soft"),
    ("text", "accent-soft"),
    ("text-muted", "accent-soft"),
    ("bad-fill-ink", "bad-fill"),
    ("bad-fill-ink", "bad-fill-strong"),
    ("bad", "surface"),
    *((tone, f"{tone}-soft") for tone in ("good", "warn", "bad", "info")),
    *(("text", f"{tone}-soft") for tone in ("good", "warn", "bad", "info")),
    *(("text-muted", f"{tone}-soft") for tone in ("bad", "info")),
    *((f"{arm}-ink", arm) for arm in ("stable", "canary", "arm-a", "arm-b", "arm-c", "arm-d")),
    ("canary-ink", "canary-stripe"),
    ("shadow", "shadow-soft"),
]
SHAPES = [
    *(("line-control", ground) for ground in ("page", "surface", "surface-raised")),
    *(("focus", ground) for ground in ("page", "surface", "surface-raised")),
    *(
        (arm, ground)
        for arm in ("stable", "arm-a", "arm-b", "arm-c", "arm-d", "shadow")
        for ground in ("page", "surface")
    ),
    ("good", "surface"),
    ("canary-line", "surface"),
    ("warn", "warn-soft"),
    ("bad-fill", "bad-soft"),
]


def tokens() -> dict[str, tuple[Rgb, Rgb]]:
    """name -> (light, dark), both as linear-light RGB."""
    found = {}
    text = (CSS / "variables.css").read_text()
    for name, value in re.findall(r"--([\w-]+): light-dark\((.*)\);", text):
        pair = re.findall(rf"oklch\({NUMBER} {NUMBER} {NUMBER}", value)
        assert len(pair) == 2, name
        found[name] = (linear(*map(float, pair[0])), linear(*map(float, pair[1])))
    return found


def linear(lightness: float, chroma: float, hue: float) -> Rgb:
    """OKLCH to linear sRGB, clipped to what a screen shows (Ottosson's OKLab matrices)."""

    a, b = chroma * cos(radians(hue)), chroma * sin(radians(hue))
    long = (lightness + 0.3963377774 * a + 0.2158037573 * b) ** 3
    medium = (lightness - 0.1055613458 * a - 0.0638541728 * b) ** 3
    short = (lightness - 0.0894841775 * a - 1.2914855480 * b) ** 3
    red = 4.0767416621 * long - 3.3077115913 * medium + 0.2309699292 * short
    green = -1.2684380046 * long + 2.6097574011 * medium - 0.3413193965 * short
    blue = -0.0041960863 * long - 0.7034186147 * medium + 1.7076147010 * short
    return tuple(min(1.0, max(0.0, part)) for part in (red, green, blue))  # type: ignore[return-value]


def contrast(one: Rgb, other: Rgb) -> float:
    """WCAG's ratio of relative luminances."""
    weights = (0.2126, 0.7152, 0.0722)
    lights = sorted(sum(w * part for w, part in zip(weights, colour, strict=True)) for colour in (one, other))
    return (lights[1] + 0.05) / (lights[0] + 0.05)


@pytest.mark.parametrize("theme", [0, 1], ids=["light", "dark"])
@pytest.mark.parametrize(("least", "pairs"), [(4.5, TEXT), (3.0, SHAPES)], ids=["text", "shapes"])
def test_colours__beside_each_other__have_enough_contrast(
    theme: int, least: float, pairs: list[tuple[str, str]]
) -> None:
    known = tokens()
    ratios = {f"{a} on {b}": round(contrast(known[a][theme], known[b][theme]), 2) for a, b in pairs}
    assert {pair: ratio for pair, ratio in ratios.items() if ratio < least} == {}


def test_stylesheets__outside_the_tokens__name_no_colour() -> None:
    for name in ("base.css", "components.css", "live.css", "rollouts.css"):
        text = (CSS / name).read_text()
        assert re.findall(r"#[0-9a-fA-F]{3,8}\b(?![\w-]*\s*\{)|\brgba?\(|\bhsla?\(|oklch\(", text) == [], name
