"""Plans that most rollouts can take as they are."""

from __future__ import annotations

from typing import NamedTuple

from django.utils.translation import gettext_lazy as _

from inference.rollouts.machine import Stage

MINUTE = 60.0
SHADOW = Stage("shadow", 0, 5 * MINUTE, 500)
HOLDBACK = Stage("holdback", 9_500, 10 * MINUTE, 300)
CANARY = (
    Stage("canary", 100, 5 * MINUTE, 100, 0.02),
    Stage("canary", 500, 5 * MINUTE, 300, 0.01),
    Stage("canary", 2_500, 5 * MINUTE, 1_000, 0.005),
    Stage("canary", 5_000, 5 * MINUTE, 2_000, 0.005),
)


class Preset(NamedTuple):
    """`hold_seconds` is how long a doubt may last before it rolls back."""

    name: str
    title: object
    sentence: object
    stages: tuple[Stage, ...]
    shadow: Stage | None = None
    holdback: Stage | None = None
    policy: str = "evidence"
    hold_seconds: float = 60 * MINUTE


PRESETS: dict[str, Preset] = {
    preset.name: preset
    for preset in (
        Preset(
            "canary",
            _("Canary"),
            _("1, 5, 25 and 50 percent, each until the candidate is proven not worse; then 95, then all."),
            CANARY,
            holdback=HOLDBACK,
        ),
        Preset(
            "shadow_first",
            _("Shadow first"),
            _("Repeats live requests on the candidate and compares the answers; then a canary."),
            CANARY,
            shadow=SHADOW,
            holdback=HOLDBACK,
        ),
        Preset(
            "low_traffic",
            _("Low traffic"),
            _("10 and 50 percent with wider margins, for less than 50 requests a minute; then 95, then all."),
            (Stage("canary", 1_000, 5 * MINUTE, 100, 0.02), Stage("canary", 5_000, 5 * MINUTE, 300, 0.01)),
            holdback=HOLDBACK,
            # With so few requests an hour is too short for one bad answer to be forgotten.
            hold_seconds=240 * MINUTE,
        ),
        Preset(
            "linear",
            _("Linear"),
            _("Ten steps of 10 percent, each judged by the evidence."),
            tuple(Stage("canary", 1_000 * step, 5 * MINUTE, 300, 0.01) for step in range(1, 10)),
        ),
        Preset(
            "blue_green",
            _("Blue/green"),
            _("Compares on mirrored requests first, then moves all traffic at once; the old version stays warm."),
            (),
            shadow=Stage("shadow", 0, MINUTE, 100),
        ),
        Preset(
            "all_at_once",
            _("All at once"),
            _("Loads and checks the candidate everywhere, then moves all traffic. Nothing is compared."),
            (),
        ),
        Preset(
            "fixed_thresholds",
            _("Fixed thresholds"),
            _("Steps of 10 percent a minute while the success rate and the p99 stay within fixed limits."),
            tuple(Stage("canary", 1_000 * step, MINUTE, 1, 0.0) for step in range(1, 6)),
            policy="thresholds",
        ),
    )
}
