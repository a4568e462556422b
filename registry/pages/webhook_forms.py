"""The forms of the webhooks' pages. They check the shape of the input; the rules stand in the services."""

from __future__ import annotations

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from registry.models import Project
from registry.notifications.events import EVENTS
from registry.pages.forms import INPUT


class WebhookForm(forms.Form):
    """`project` is free text here, so that who may not use one learns so from the service."""

    url = forms.CharField(
        label=_("URL"),
        max_length=500,
        help_text=_("Gets a signed POST for each event. It has to be reachable from here and must not redirect."),
        widget=forms.URLInput({**INPUT, "placeholder": "https://hooks.example.org/slipway"}),
    )
    project = forms.CharField(label=_("Project"), max_length=64, widget=forms.Select({"class": "select"}))
    description = forms.CharField(
        label=_("What it is for"), max_length=300, required=False, widget=forms.TextInput(INPUT)
    )
    events = forms.MultipleChoiceField(
        label=_("Events"), choices=list(EVENTS.items()), required=False, widget=forms.CheckboxSelectMultiple
    )

    def __init__(self, *args: Any, projects: list[Project], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        widget = self.fields["project"].widget
        assert isinstance(widget, forms.Select)
        widget.choices = [(project.slug, project.slug) for project in projects]


class EmailForm(forms.Form):
    project = forms.CharField(max_length=64)
    state = forms.ChoiceField(choices=[("on", "on"), ("off", "off")])


class ActiveForm(forms.Form):
    state = forms.ChoiceField(choices=[("on", "on"), ("off", "off")])


class DeleteForm(forms.Form):
    reason = forms.CharField(
        label=_("Why"),
        max_length=2_000,
        help_text=_("Goes to the audit trail, for whoever asks later."),
        widget=forms.Textarea({"class": "textarea", "rows": 2, "autofocus": ""}),
    )
