"""What a replay is asked for on a page."""

from __future__ import annotations

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from inference.pages.forms import version_choices
from inference.replay.services import MOST_WANTED, USUAL_TOLERATED, USUAL_WANTED
from registry.models import ModelVersion
from registry.pages.forms import choose

NUMBER = {"class": "input input-number", "autocomplete": "off", "step": "any"}


class ReplayForm(forms.Form):
    """`tolerated` is in percent here."""

    candidate = forms.TypedChoiceField(label=_("Candidate"), coerce=int, widget=forms.Select({"class": "select"}))
    n_wanted = forms.IntegerField(
        label=_("Captured requests, newest first"),
        min_value=1,
        max_value=MOST_WANTED,
        initial=USUAL_WANTED,
        widget=forms.NumberInput(NUMBER),
    )
    tolerated = forms.FloatField(
        label=_("May be answered differently"),
        min_value=0,
        max_value=100,
        initial=round(USUAL_TOLERATED * 100),
        widget=forms.NumberInput(NUMBER),
    )
    file = forms.FileField(
        label=_("Or a file of requests"),
        required=False,
        allow_empty_file=True,
        help_text=_("JSONL: one V2 request body per line, at most 10\N{NARROW NO-BREAK SPACE}000."),
        widget=forms.FileInput({"class": "input", "accept": ".jsonl,.ndjson"}),
    )

    def __init__(self, *args: Any, versions: list[ModelVersion], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.has_candidates = bool(versions)
        choose(self, "candidate", version_choices(versions))

    @property
    def wish(self) -> dict[str, Any]:
        """As `start_replay` takes it."""
        data = self.cleaned_data
        return {"n_wanted": data["n_wanted"], "tolerated": data["tolerated"] / 100, "file": data["file"]}
