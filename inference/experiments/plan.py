"""What an experiment is asked to find out: the wish as it comes in, checked and made whole."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from math import isfinite
from typing import Any

from django.utils.translation import gettext as _

from inference.analysis.sequences import MIN_UNITS
from inference.models import Experiment
from inference.routing.assignment import check_assignment
from inference.routing.split import Share, check_shares
from portal.lib.errors import InvalidInput

Metric, Direction = Experiment.Metric, Experiment.Direction

LEAST_ARMS, MOST_ARMS = 2, 5
MOST_UNITS = 100_000_000
MAX_NAME, MAX_HYPOTHESIS = 128, 2_000
DEFAULT_SIZE = 1_000
BY_HEADER = {"by": "header"}
# Of these nobody wants more, and of the other two nobody asks for less right answers.
DIRECTIONS: dict[str, tuple[str, ...]] = {
    Metric.ERROR: (Direction.DECREASE,),
    Metric.LATENCY: (Direction.DECREASE,),
    Metric.REWARD: (Direction.INCREASE, Direction.DECREASE),
    Metric.AGREEMENT: (Direction.INCREASE,),
}
SHARES = (Metric.ERROR, Metric.AGREEMENT)
# What an arm may do worse than the control: a share of keys, and seconds of the mean answer.
GUARDRAILS = {"error_increase": 1.0, "latency_increase": 3_600.0}
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f]")


@dataclass(frozen=True)
class PlannedArm:
    key: str
    version: int
    weight_bp: int


@dataclass(frozen=True)
class Plan:
    """`arms` begins with the control. `min_effect` is in units of the metric; `planned_size` counts keys per arm."""

    name: str
    hypothesis: str
    metric: str
    direction: str
    min_effect: float
    planned_size: int
    arms: tuple[PlannedArm, ...]
    guardrails: dict[str, Any] = field(default_factory=dict)
    assignment: dict[str, Any] = field(default_factory=lambda: dict(BY_HEADER))


def check_plan(data: Mapping[str, Any]) -> Plan:
    """Raises InvalidInput with the field's name in `details`."""
    metric = _one_of(data.get("metric"), "metric", Metric.values)
    directions = DIRECTIONS[metric]
    return Plan(
        name=_text(data.get("name"), "name", MAX_NAME, required=True),
        hypothesis=_text(data.get("hypothesis", ""), "hypothesis", MAX_HYPOTHESIS),
        metric=metric,
        direction=_one_of(data.get("direction") or directions[0], "direction", directions),
        min_effect=_effect(data.get("min_effect"), metric),
        planned_size=_size(data.get("planned_size", DEFAULT_SIZE)),
        arms=check_arms(data.get("arms")),
        guardrails=check_guardrails(data.get("guardrails") or {}),
        assignment=_assignment(data.get("assignment")),
    )


def _refused(name: str, sentence: str, code: str = "invalid_input") -> InvalidInput:
    return InvalidInput(sentence, code=code, details={"field": name})


def _text(value: Any, name: str, most: int, *, required: bool = False) -> str:
    if not isinstance(value, str) or len(value.strip()) > most or _CONTROL.search(value):
        raise _refused(
            name, _("%(name)s has to be plain text of at most %(n)s characters.") % {"name": name, "n": most}
        )
    if required and not value.strip():
        raise _refused(name, _("Give the experiment a name."))
    return value.strip()


def _one_of(value: Any, name: str, choices: Sequence[str]) -> str:
    if not isinstance(value, str) or value not in choices:
        raise _refused(
            name,
            _("%(name)s has to be one of: %(all)s.") % {"name": name, "all": ", ".join(choices)},
            f"invalid_{name}",
        )
    return value


def _effect(value: Any, metric: str) -> float:
    most = 1.0 if metric in SHARES else 1e12
    if not _is_number(value) or not 0 < value <= most:
        raise _refused(
            "min_effect",
            _("min_effect has to be a number above 0 and at most %(most)g, in units of the metric.") % {"most": most},
            "invalid_min_effect",
        )
    return float(value)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and isfinite(value)


def _size(value: Any) -> int:
    if type(value) is not int or not MIN_UNITS <= value <= MOST_UNITS:
        raise _refused(
            "planned_size",
            _("planned_size has to be a whole number of keys per arm, from %(least)s to %(most)s.")
            % {"least": MIN_UNITS, "most": MOST_UNITS},
            "invalid_planned_size",
        )
    return value


def check_arms(value: Any) -> tuple[PlannedArm, ...]:
    """Two to five, each with a key, a version and a weight of its own; the weights sum to 10 000 basis points."""
    if not isinstance(value, list | tuple) or not LEAST_ARMS <= len(value) <= MOST_ARMS:
        raise _refused(
            "arms",
            _("An experiment has %(least)s to %(most)s arms; the first is the control.")
            % {"least": LEAST_ARMS, "most": MOST_ARMS},
            "invalid_arms",
        )
    arms = tuple(_arm(item) for item in value)
    check_shares([Share(arm.key, arm.weight_bp) for arm in arms])
    if any(not arm.weight_bp for arm in arms):
        raise _refused("arms", _("Each arm needs a share of the traffic above 0."), "invalid_weight")
    if len({arm.version for arm in arms}) != len(arms):
        raise _refused("arms", _("Each arm has to be another version."), "duplicate_version")
    return arms


def _arm(item: Any) -> PlannedArm:
    if not isinstance(item, Mapping) or not set(item) <= {"key", "version", "weight_bp"}:
        raise _refused("arms", _("An arm has a key, a version and a weight_bp."), "invalid_arms")
    if type(item.get("version")) is not int:
        raise _refused("arms", _("The version of an arm is its number."), "unknown_version")
    return PlannedArm(item.get("key", ""), item["version"], item.get("weight_bp", 0))


def check_guardrails(value: Any) -> dict[str, Any]:
    """`error_increase`: share of keys; `latency_increase`: seconds; `stop`: end the experiment when one is broken."""
    if not isinstance(value, Mapping) or not set(value) <= {*GUARDRAILS, "stop"}:
        known = ", ".join([*GUARDRAILS, "stop"])
        raise _refused("guardrails", _("guardrails may name: %(all)s.") % {"all": known}, "invalid_guardrails")
    if type(value.get("stop", False)) is not bool:
        raise _refused("guardrails", _("The guardrail option “stop” is true or false."), "invalid_guardrails")
    for name, most in GUARDRAILS.items():
        if name in value and (not _is_number(value[name]) or not 0 <= value[name] < most):
            raise _refused(
                "guardrails",
                _("%(name)s has to be a number from 0 to below %(most)g.") % {"name": name, "most": most},
                "invalid_guardrails",
            )
    return dict(value)


def _assignment(value: Any) -> dict[str, Any]:
    assignment = check_assignment(BY_HEADER if value in (None, {}) else value)
    if assignment.get("by") == "request":
        raise _refused(
            "assignment",
            _("An experiment counts keys: choose a header, a field of the body or the token as the key."),
            "assignment_without_key",
        )
    return assignment
