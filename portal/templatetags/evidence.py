"""How a rollout is drawn: the track of its evidence on a log scale, the rail of its stages, the state it is in."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from math import log
from typing import Any, NamedTuple, Protocol

from django import template
from django.utils import timezone
from django.utils.dateparse import parse_datetime
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from inference.analysis.guardrails import HOLD_LN, ROLL_BACK_LN
from inference.models import Rollout, RolloutEvent, RolloutStage
from inference.rollouts.words import e_is, e_value
from portal.lib.words import number, percent, seconds
from portal.templatetags.lines import Point, line_chart
from portal.templatetags.ui import TURNING, icon

register = template.Library()

# What the track shows: from a fiftieth to four thousand. What lies beyond runs along its edge.
TOP_LN, FOOT_LN = log(4_000), log(0.02)
WIDE, HIGH = 1_000.0, 112.0
# Room for the dot at the end.
LAST_X = 986.0

# state -> (icon, tone, word)
STATES: dict[str, tuple[str, str, Any]] = {
    "draft": ("pencil-line", "", gettext_lazy("Draft")),
    "validating": ("loader-circle", "info", gettext_lazy("Validating")),
    "shadow": ("copy", "info", gettext_lazy("Shadow")),
    "canary": ("bird", "info", gettext_lazy("Canary")),
    "hold": ("hand", "warn", gettext_lazy("Holding")),
    "paused": ("circle-pause", "warn", gettext_lazy("Paused")),
    "approval": ("user-check", "warn", gettext_lazy("Waits for approval")),
    "holdback": ("shield-check", "info", gettext_lazy("Hold-back")),
    "rolling_back": ("loader-circle", "bad", gettext_lazy("Rolling back")),
    "promoted": ("circle-check", "good", gettext_lazy("Promoted")),
    "rolled_back": ("undo-2", "bad", gettext_lazy("Rolled back")),
    "aborted": ("ban", "", gettext_lazy("Aborted")),
    "failed_validation": ("octagon-x", "bad", gettext_lazy("Failed validation")),
}
# The same with the candidate's share.
STATES_AT: dict[str, Any] = {
    "canary": gettext_lazy("Canary at %s"),
    "hold": gettext_lazy("Holding at %s"),
    "paused": gettext_lazy("Paused at %s"),
    "approval": gettext_lazy("Waits for approval at %s"),
    "holdback": gettext_lazy("Hold-back at %s"),
}
# What a guardrail says.
SIGNALS: dict[str, tuple[str, str, Any]] = {
    "waiting": ("circle-dashed", "", gettext_lazy("waiting for data")),
    "clear": ("circle-check", "good", gettext_lazy("clear")),
    "holding": ("hand", "warn", gettext_lazy("holding")),
    "harm": ("octagon-x", "bad", gettext_lazy("worse")),
}


class Mark(NamedTuple):
    """One point of a track: ln E at a moment."""

    at: datetime
    ln_e: float


class Step(Protocol):
    """One step of the rail; `look` is done, now, held, failed, skipped or waiting. `progress` runs from 0 to 1."""

    @property
    def look(self) -> str: ...
    @property
    def title(self) -> str: ...
    @property
    def said(self) -> str: ...
    @property
    def needs(self) -> Sequence[tuple[bool, str]]: ...
    @property
    def progress(self) -> float | None: ...


# --- words ----------------------------------------------------------------------------------------------------------


register.filter("e_value", e_value)
register.filter("e_is", e_is)


@register.simple_tag
def state_badge(state: str, weight_bp: int | None = None) -> SafeString:
    """A rollout's state; `state` may also be "approval"."""
    name, tone, word = STATES[state]
    at = STATES_AT.get(state) if weight_bp else None
    return _badge(name, tone, str(at).replace("%s", percent(weight_bp)) if at else str(word))


@register.simple_tag
def signal_badge(signal: str) -> SafeString:
    name, tone, word = SIGNALS[signal]
    return _badge(name, tone, str(word))


def _badge(name: str, tone: str, text: str) -> SafeString:
    turning = "spin" if name in TURNING else ""
    return format_html('<span class="badge {}">{}{}</span>', f"is-{tone}" if tone else "", icon(name, turning), text)


# --- track ----------------------------------------------------------------------------------------------------------


@register.inclusion_tag("components/_evidence_track.html")
def evidence_track(marks: Sequence[Mark], title: str, signal: str = "clear") -> dict[str, Any]:
    """E over the looks taken so far. The line that holds and the one that rolls back are always in view."""
    hold, back, one = _y(HOLD_LN), _y(ROLL_BACK_LN), _y(0.0)
    points = [(_x(position, len(marks)), _y(mark.ln_e)) for position, mark in enumerate(marks)]
    if len(points) == 1:
        points = [(0.0, points[0][1]), *points]
    last = marks[-1].ln_e if marks else None
    return {
        "title": title,
        "signal": signal,
        "said": _("%(title)s: E %(e)s, holds at 10, rolls back at 400") % {"title": title, "e": e_is(last)},
        "line": " ".join(f"{x:.1f},{y:.1f}" for x, y in points),
        "dot": f"{points[-1][1]:.1f}" if points else "",
        "hold": f"{hold:.1f}",
        "band": f"{hold - back:.1f}",
        "back": f"{back:.1f}",
        "one": f"{one:.1f}",
        "above_hold": f"{hold - 5:.1f}",
        "above_back": f"{back - 5:.1f}",
        "below_one": f"{one + 13:.1f}",
        "steps": _columns(marks),
        "times": _ends(marks),
        "rows": list(reversed(marks)),
    }


def _x(position: int, n: int) -> float:
    return LAST_X * position / max(1, n - 1) if n > 1 else LAST_X


def _y(ln_e: float) -> float:
    """Pixels from the top; what lies beyond the scale stays 2 px inside."""
    share = (TOP_LN - max(FOOT_LN, min(TOP_LN, ln_e))) / (TOP_LN - FOOT_LN)
    return 2 + (HIGH - 4) * share


def _columns(marks: Sequence[Mark]) -> SafeString:
    """An invisible column a look, which says its time and value under the pointer."""
    width = LAST_X / max(1, len(marks))
    return format_html_join(
        "",
        '<rect class="step" x="{}" width="{}" height="112"><title>{} · E {}</title></rect>',
        (
            (f"{position * width:.1f}", f"{width:.1f}", _clock(mark.at), e_value(mark.ln_e))
            for position, mark in enumerate(marks)
        ),
    )


def _clock(moment: datetime) -> str:
    return timezone.localtime(moment).strftime("%H:%M:%S")


def _ends(marks: Sequence[Mark]) -> list[str]:
    return [_clock(marks[0].at), _clock(marks[-1].at)] if marks else []


# --- rail and chart -------------------------------------------------------------------------------------------------


@register.inclusion_tag("components/_stage_rail.html")
def stage_rail(steps: Sequence[Step]) -> dict[str, Any]:
    marks = {"done": "check", "failed": "x", "held": "pause", "skipped": "minus"}
    return {"steps": [(step, marks.get(step.look, "")) for step in steps]}


@register.inclusion_tag("components/_line_chart.html")
def arm_chart(points: Sequence[Point], arms: Sequence[str], title: str, ended: bool = False) -> dict[str, Any]:
    """`line_chart` with the look of the arms that it compares; one that has `ended` does not say "now"."""
    context = line_chart(points, arms, title)
    looks = {f"line-{place}": f"arm-line-{arm}" for place, arm in enumerate(arms)}
    context["series"] = [(name, looks[css], last) for name, css, last in context["series"]]
    context["lines"] = [(looks[css], paths) for css, paths in context["lines"]]
    if ended and points:
        context["times"][-1] = timezone.localtime(points[-1].at).strftime("%H:%M")
    return context


# --- log ------------------------------------------------------------------------------------------------------------

# event -> (icon, tone, words); "%s" is the share of the stage that it led to.
EVENTS: dict[str, tuple[str, str, Any]] = {
    "create": ("pencil-line", "", gettext_lazy("Planned.")),
    "start": ("play", "", gettext_lazy("Started.")),
    "validated": ("circle-check", "is-good", gettext_lazy("Validated.")),
    "advance": ("chevrons-right", "is-good", gettext_lazy("Advanced.")),
    "hold": ("hand", "is-warn", gettext_lazy("On hold.")),
    "pause": ("pause", "is-warn", gettext_lazy("Paused.")),
    "resume": ("play", "", gettext_lazy("Resumed.")),
    "roll_back": ("undo-2", "is-bad", gettext_lazy("Rolls back.")),
    "rolled_back": ("undo-2", "is-bad", gettext_lazy("Rolled back.")),
    "abort": ("undo-2", "is-bad", gettext_lazy("Rolls back, by a person.")),
    "aborted": ("ban", "", gettext_lazy("Aborted.")),
    "promote": ("rocket", "is-good", gettext_lazy("Promoted.")),
    "failed_validation": ("octagon-x", "is-bad", gettext_lazy("Failed validation.")),
}


@register.simple_tag
def event_icon(event: RolloutEvent) -> SafeString:
    name, tone, _words = EVENTS.get(event.event, ("circle-dot", "", ""))
    return icon(name, tone)


@register.simple_tag
def event_words(event: RolloutEvent) -> str:
    return str(EVENTS[event.event][2]) if event.event in EVENTS else event.event


@register.filter
def per_minute(rate: float) -> str:
    """Per second -> per minute: 1 248, 4.2."""
    value = rate * 60
    return number(round(value)) if value >= 9.95 else f"{value:.1f}"


@register.filter
def lasted(rollout: Rollout) -> str:
    """From its first move to its end."""
    began = rollout.started_at or rollout.created_at
    return seconds((rollout.ended_at - began).total_seconds()) if rollout.ended_at else "–"


@register.filter
def moment(text: str) -> datetime | None:
    """A time that JSON holds."""
    return parse_datetime(text)


@register.filter
def stage_now(rollout: Rollout) -> RolloutStage | None:
    """Where it stands, or stood at the end; None before the first stage and once it has taken all traffic."""
    if rollout.has_ended:
        return None
    return next((stage for stage in rollout.stages.all() if stage.index == rollout.position), None)


@register.filter
def stage_count(rollout: Rollout) -> str:
    """2 of 6."""
    n = len(rollout.stages.all())
    return _("%(k)s of %(n)s") % {"k": rollout.position + 1, "n": n} if n and rollout.position >= 0 else "–"
