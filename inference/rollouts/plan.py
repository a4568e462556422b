"""A rollout's plan, from what a caller asked for: the preset, with whatever of it was said otherwise."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict
from itertools import pairwise
from typing import Any, NamedTuple

from django.utils.translation import gettext as _

from inference.models import Rollout, RolloutStage
from inference.rollouts.machine import Plan, Stage
from inference.rollouts.presets import HOLDBACK, PRESETS, SHADOW, Preset
from inference.routing.assignment import check_assignment, check_rules
from portal.lib.errors import InvalidInput

MOST_STAGES = 20
LONGEST_SECONDS = 30 * 24 * 3600.0
MOST_REQUESTS = 100_000_000
STAGE_FIELDS = {"weight_bp", "bake_seconds", "n_min", "delta", "needs_approval"}
# What a plan may say beside its stages, with what holds where it does not.
OPTIONS: dict[str, Any] = {
    "tolerance": "strict",
    "on_hold": "roll_back",
    "hold_seconds": 3_600.0,
    "telemetry_seconds": 60.0,
    "watchdog_hold_seconds": 60.0,
    "watchdog_roll_back_seconds": 900.0,
    "cooldown_seconds": 300.0,
    "attribution_seconds": 604_800.0,
    "waits_for_attribution": False,
    "mirror_bp": 10_000,
    "expects_difference": False,
    "replay": True,
    "tolerated_disagreement": 0.02,
    "assignment": {},
    "rules": [],
    "thresholds": {"seconds": 60.0, "most_failed": 5, "least_success": 0.99, "most_p99_ms": 500.0},
}
CHOICES = {"tolerance": ("strict", "tolerant"), "on_hold": ("roll_back", "wait")}
# The rate ratio that is tolerated for good.
THETAS = {"strict": 1.0, "tolerant": 1.25}


class Wanted(NamedTuple):
    """`stages` in their order, shadow first and hold-back last where there are such."""

    preset: Preset
    stages: tuple[Stage, ...]
    options: dict[str, Any]


def parse(data: Mapping[str, Any]) -> Wanted:
    """Raises InvalidInput naming the field."""
    preset = PRESETS.get(str(data.get("preset", "canary")))
    if preset is None:
        raise _wrong("preset", _("There is no such preset: take one of %(names)s.") % {"names": ", ".join(PRESETS)})
    stages = _stages(data["stages"]) if data.get("stages") is not None else preset.stages
    shadow = _side(data, "shadow", preset.shadow, SHADOW)
    holdback = _side(data, "holdback", preset.holdback, HOLDBACK)
    _check_growing(stages)
    whole = [shadow, *stages, holdback if stages else None]
    usual = {"hold_seconds": preset.hold_seconds}
    return Wanted(preset, tuple(stage for stage in whole if stage), _options({**usual, **data}))


def _stages(items: Any) -> tuple[Stage, ...]:
    if not isinstance(items, list) or len(items) > MOST_STAGES:
        raise _wrong("stages", _("Stages are a list of %(n)s at most.") % {"n": MOST_STAGES})
    return tuple(_stage(item) for item in items)


def _stage(item: Any) -> Stage:
    if not isinstance(item, Mapping) or not set(item) <= STAGE_FIELDS or "weight_bp" not in item:
        raise _wrong("stages", _("A stage has weight_bp, and may have bake_seconds, n_min, delta and needs_approval."))
    return Stage(
        "canary",
        _whole(item, "weight_bp", 1, 10_000),
        _seconds(item, "bake_seconds", 300.0),
        _whole(item, "n_min", 1, MOST_REQUESTS, 100),
        _delta(item.get("delta", 0.02)),
        _flag(item, "needs_approval", False),
    )


def _side(data: Mapping[str, Any], name: str, own: Stage | None, usual: Stage) -> Stage | None:
    """Shadow or hold-back: what the preset has, something else, or none where the caller said null."""
    if name not in data:
        return own
    asked = data[name]
    if asked is None or asked is False:
        return None
    asked = {} if asked is True else asked
    if not isinstance(asked, Mapping) or not set(asked) <= {"n_min", "seconds"}:
        raise _wrong(name, _("Say null, or give n_min and seconds."))
    base = own or usual
    n_min = _whole(asked, "n_min", 1, MOST_REQUESTS, base.n_min)
    return Stage(name, base.weight_bp, _seconds(asked, "seconds", base.bake_seconds), n_min)


def _check_growing(stages: tuple[Stage, ...]) -> None:
    for before, after in pairwise(stages):
        if after.weight_bp <= before.weight_bp:
            raise _wrong(
                "stages",
                _("A stage has to give the candidate more than the one before: %(a)s follows %(b)s.")
                % {"a": after.weight_bp, "b": before.weight_bp},
                "stage_shrinks",
            )


def _options(data: Mapping[str, Any]) -> dict[str, Any]:
    options = {name: _option(name, data[name]) if name in data else usual for name, usual in OPTIONS.items()}
    options["assignment"] = check_assignment(options["assignment"])
    options["rules"] = check_rules(options["rules"], ("stable", "canary"))
    return options


def _option(name: str, value: Any) -> Any:
    usual = OPTIONS[name]
    if name in CHOICES:
        if value not in CHOICES[name]:
            raise _wrong(name, _("Take one of: %(names)s.") % {"names": ", ".join(CHOICES[name])})
        return value
    if isinstance(usual, bool):
        return _flag({name: value}, name, usual)
    if name == "thresholds":
        return _thresholds(value)
    if name == "mirror_bp":
        return _whole({name: value}, name, 1, 10_000)
    if name == "tolerated_disagreement":
        return _delta(value)
    if isinstance(usual, float):
        return _seconds({name: value}, name, usual)
    return value


def _thresholds(value: Any) -> dict[str, float]:
    usual: dict[str, float] = OPTIONS["thresholds"]
    if not isinstance(value, Mapping) or not set(value) <= set(usual):
        raise _wrong("thresholds", _("Thresholds are %(names)s.") % {"names": ", ".join(usual)})
    return {name: _seconds(value, name, default) for name, default in usual.items()}


def _whole(item: Mapping[str, Any], name: str, least: int, most: int, usual: int | None = None) -> int:
    value = item.get(name, usual)
    if type(value) is not int or not least <= value <= most:
        raise _wrong(
            name,
            _("%(name)s has to be a whole number from %(least)s to %(most)s.")
            % {"name": name, "least": least, "most": most},
        )
    return value


def _seconds(item: Mapping[str, Any], name: str, usual: float) -> float:
    value = item.get(name, usual)
    if type(value) not in (int, float) or not math.isfinite(value) or not 0 <= value <= LONGEST_SECONDS:
        raise _wrong(name, _("%(name)s has to be a number from 0 on, 30 days at most.") % {"name": name})
    return float(value)


def _delta(value: Any) -> float:
    """A share such as 0.02; from 1 on, points of a percent."""
    if type(value) not in (int, float) or not math.isfinite(value) or not 0 < value < 100:
        raise _wrong("delta", _("delta is a share of the answers, such as 0.02 for two points."))
    return float(value) if value < 1 else value / 100


def _flag(item: Mapping[str, Any], name: str, usual: bool) -> bool:
    value = item.get(name, usual)
    if type(value) is not bool:
        raise _wrong(name, _("%(name)s has to be true or false.") % {"name": name})
    return value


def _wrong(field: str, message: str, code: str = "invalid_plan") -> InvalidInput:
    return InvalidInput(message, code=code, details={"field": field})


def write_stages(rollout: Rollout, stages: tuple[Stage, ...]) -> None:
    RolloutStage.objects.bulk_create(
        RolloutStage(rollout=rollout, index=index, **asdict(stage)) for index, stage in enumerate(stages)
    )


def plan_of(rollout: Rollout) -> Plan:
    """As the machine takes it."""
    options = rollout.options
    stages = tuple(
        Stage(row.kind, row.weight_bp, row.bake_seconds, row.n_min, row.delta, row.needs_approval)
        for row in rollout.stages.all()
    )
    return Plan(
        stages,
        policy=PRESETS[rollout.preset].policy,
        expects_difference=options["expects_difference"],
        hold_seconds=options["hold_seconds"],
        on_hold=options["on_hold"],
        telemetry_seconds=options["telemetry_seconds"],
        most_failed_checks=int(options["thresholds"]["most_failed"]),
    )
