"""The form of a new rollout. It checks the shape of the input; the rules stand in `inference/rollouts/plan.py`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django import forms
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from inference.pages.forms import version_choices
from inference.rollouts.machine import Stage
from inference.rollouts.presets import HOLDBACK, PRESETS, SHADOW, Preset
from portal.lib.words import plain_percent
from registry.models import ModelVersion
from registry.pages.forms import choose

WHOLE_NUMBER = {"class": "input input-number"}
ANY_NUMBER = {"class": "input input-number", "step": "any"}
STAGE_FIELDS = ("weight", "bake", "n_min", "delta", "ask")
USUAL = Stage("canary", 0, 300.0, 100, 0.01)


class RolloutForm(forms.Form):
    """Below `preset` stand the stages of it, each changeable. `stages_of` names the preset that they were shown for:
    when another one was chosen since, what stands in the fields means nothing any more."""

    candidate = forms.TypedChoiceField(
        label=gettext_lazy("Candidate"), coerce=int, widget=forms.Select({"class": "select"})
    )
    preset = forms.ChoiceField(label=gettext_lazy("How"), widget=forms.RadioSelect)
    shadow = forms.BooleanField(
        label=gettext_lazy("Shadow first"),
        help_text=gettext_lazy(
            "Repeats live requests on the candidate and compares the answers. Nobody is answered by it."
        ),
        required=False,
    )
    holdback = forms.BooleanField(
        label=gettext_lazy("Hold-back at the end"),
        help_text=gettext_lazy("Keeps 5 % on the old version for a while before everything moves."),
        required=False,
    )
    tolerant = forms.BooleanField(
        label=gettext_lazy("Tolerate a quarter more errors"),
        help_text=gettext_lazy("Up to 1.25 times stable's rate counts as harmless. Otherwise none more."),
        required=False,
    )
    expects_difference = forms.BooleanField(
        label=gettext_lazy("Other answers are expected"),
        help_text=gettext_lazy("The shadow then only asks whether the candidate answers at all."),
        required=False,
    )
    force = forms.BooleanField(
        label=gettext_lazy("Force it"),
        help_text=gettext_lazy(
            "Starts a version that came back before, without what was seen then, or one that would break callers or "
            "fails a golden request. Stands in the record."
        ),
        required=False,
    )
    reason = forms.CharField(
        label=gettext_lazy("Why"),
        max_length=2_000,
        help_text=gettext_lazy("Goes to the audit trail, for whoever asks later."),
        widget=forms.Textarea({"class": "textarea", "rows": 2}),
    )
    stages_of = forms.CharField(required=False, widget=forms.HiddenInput)
    advanced = forms.BooleanField(label=gettext_lazy("Change them"), required=False)

    def __init__(
        self, data: Mapping[str, Any] | None, *, versions: list[ModelVersion], initial: dict[str, Any]
    ) -> None:
        self.versions = versions
        self.chosen = _chosen(data, initial)
        same = data is not None and data.get("stages_of") == self.chosen.name
        if data is not None and not same:
            data = {**_only_once(data), **_sides(self.chosen)}
        super().__init__(data, initial={**_sides(self.chosen, initial=True), **initial})
        choose(self, "candidate", version_choices(versions))
        choose(self, "preset", [(preset.name, preset.title) for preset in PRESETS.values()])
        self.n_rows = len(self.chosen.stages) + 1 if self.chosen.stages else 0
        for place in range(self.n_rows):
            stage = self.chosen.stages[place] if place < len(self.chosen.stages) else None
            self._add_stage(place, stage)
            if self.is_bound and not same and stage:
                self.data = {**self.data, **_typed(place, stage)}

    def _add_stage(self, place: int, stage: Stage | None) -> None:
        start = _typed(place, stage) if stage else {}
        numbers: list[tuple[str, Any, forms.Field]] = [
            ("weight", _("Share"), _number(0.01, 100)),
            ("bake", _("At least"), _number(0, None)),
            (
                "n_min",
                _("Requests"),
                forms.IntegerField(min_value=1, required=False, widget=forms.NumberInput(WHOLE_NUMBER)),
            ),
            ("delta", _("Margin"), _number(0.001, 50)),
            ("ask", _("Ask a person"), forms.BooleanField(required=False)),
        ]
        for name, label, field in numbers:
            field.label = _("%(label)s of stage %(n)s") % {"label": label, "n": place + 1}
            field.widget.attrs["aria-label"] = field.label
            field.initial = start.get(f"{name}_{place}")
            self.fields[f"{name}_{place}"] = field

    @property
    def rows(self) -> list[tuple[list[forms.BoundField], list[str]]]:
        """The fields of each stage, and what is wrong with them."""
        rows = []
        for place in range(self.n_rows):
            fields = [self[f"{name}_{place}"] for name in STAGE_FIELDS]
            rows.append((fields, [f"{field.label}: {error}" for field in fields for error in field.errors]))
        return rows

    @property
    def boxes(self) -> list[forms.BoundField]:
        return [self[name] for name in ("shadow", "holdback", "tolerant", "expects_difference")]

    @property
    def is_opened(self) -> bool:
        """The stages are shown where somebody asked for them, or typed something wrong there."""
        return bool(self["advanced"].value()) or any(errors for _fields, errors in self.rows)

    @property
    def cards(self) -> list[tuple[Preset, bool]]:
        """The presets with whether each is chosen."""
        return [(preset, preset.name == self.chosen.name) for preset in PRESETS.values()]

    @property
    def stages(self) -> list[Stage]:
        """As typed, as far as it can be read; rows without a share are left out."""
        data = getattr(self, "cleaned_data", None)
        if data is None:
            return list(self.chosen.stages)
        return [stage for place in range(self.n_rows) if (stage := _stage(data, place))]

    def side(self, name: str, own: Stage | None, usual: Stage) -> Stage | None:
        wanted = self.cleaned_data.get(name) if self.is_bound else own is not None
        return (own or usual) if wanted else None

    @property
    def whole(self) -> list[Stage]:
        """All stages in order, shadow first and hold-back last where they are wanted."""
        stages = self.stages
        shadow = self.side("shadow", self.chosen.shadow, SHADOW)
        holdback = self.side("holdback", self.chosen.holdback, HOLDBACK) if stages else None
        return [stage for stage in (shadow, *stages, holdback) if stage]

    @property
    def plan(self) -> dict[str, Any]:
        """The body of `POST /api/v1/endpoints/{slug}/rollouts`; says of the preset only what was changed."""
        data = self.cleaned_data
        plan: dict[str, Any] = {name: data[name] for name in ("candidate", "preset", "reason")}
        if self.stages != list(self.chosen.stages):
            plan["stages"] = [_as_json(stage) for stage in self.stages]
        for name, own in (("shadow", self.chosen.shadow), ("holdback", self.chosen.holdback)):
            if bool(data[name]) is not bool(own):
                plan[name] = {} if data[name] else None
        if data["tolerant"]:
            plan["tolerance"] = "tolerant"
        if data["expects_difference"]:
            plan["expects_difference"] = True
        if data["force"]:
            plan["force"] = True
        return plan


def _chosen(data: Mapping[str, Any] | None, initial: dict[str, Any]) -> Preset:
    name = (data if data is not None else initial).get("preset", "canary")
    return PRESETS.get(str(name), PRESETS["canary"])


def _only_once(data: Mapping[str, Any]) -> dict[str, Any]:
    """What holds whatever the preset is."""
    kept = ("candidate", "preset", "reason", "tolerant", "expects_difference", "force", "advanced")
    return {name: data[name] for name in kept if name in data}


def _sides(preset: Preset, *, initial: bool = False) -> dict[str, Any]:
    """A browser leaves out a box that is not ticked, so that bound data does too."""
    sides = {"shadow": preset.shadow is not None, "holdback": preset.holdback is not None}
    return sides if initial else {**{name: "on" for name, ticked in sides.items() if ticked}, "stages_of": preset.name}


def _number(least: float, most: float | None) -> forms.FloatField:
    return forms.FloatField(min_value=least, max_value=most, required=False, widget=forms.NumberInput(ANY_NUMBER))


def _typed(place: int, stage: Stage) -> dict[str, Any]:
    """A stage as it stands in the fields: percent, seconds, points."""
    typed = {
        f"weight_{place}": plain_percent(stage.weight_bp),
        f"bake_{place}": f"{stage.bake_seconds:g}",
        f"n_min_{place}": stage.n_min,
        f"delta_{place}": f"{100 * stage.delta:g}" if stage.delta else "",
    }
    return {**typed, f"ask_{place}": "on"} if stage.needs_approval else typed


def _stage(data: Mapping[str, Any], place: int) -> Stage | None:
    weight = data.get(f"weight_{place}")
    if not weight:
        return None
    bake, n_min, delta = (data.get(f"{name}_{place}") for name in ("bake", "n_min", "delta"))
    return Stage(
        "canary",
        round(weight * 100),
        USUAL.bake_seconds if bake is None else float(bake),
        n_min or USUAL.n_min,
        round(delta / 100, 9) if delta else 0.0,
        bool(data.get(f"ask_{place}")),
    )


def _as_json(stage: Stage) -> dict[str, Any]:
    """`delta` is left out where none was given, and then is the usual one."""
    data: dict[str, Any] = {
        "weight_bp": stage.weight_bp,
        "bake_seconds": stage.bake_seconds,
        "n_min": stage.n_min,
        "needs_approval": stage.needs_approval,
    }
    return {**data, "delta": stage.delta} if stage.delta else data
