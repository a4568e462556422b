"""How an endpoint answers, and whether: the dialogs of its settings and of taking it out of service and back."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from django import forms
from django.http import HttpResponse
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from inference.endpoints.services import LIMITS, edit_endpoint, set_loaded
from inference.models import Endpoint
from inference.pages.arms import arms_of
from inference.pages.forms import ReasonForm
from inference.selectors.endpoints import get_endpoint
from portal.lib.errors import PortalError
from portal.lib.words import plain_percent
from registry.access import policy
from registry.pages.access import PageRequest, page
from registry.pages.answers import blame, go, show


def _whole_number(name: str, label: Any, help_text: Any, **facts: Any) -> forms.IntegerField:
    least, most = LIMITS[name]
    widget = forms.NumberInput({"class": "input input-number"})
    return forms.IntegerField(
        label=label,
        help_text=help_text,
        min_value=least,
        max_value=most,
        widget=widget,
        show_hidden_initial=True,
        **facts,
    )


class PercentField(forms.DecimalField):
    """Percent to the person, basis points to the program."""

    def prepare_value(self, value: Any) -> Any:
        return plain_percent(value) if isinstance(value, int) else value

    def clean(self, value: Any) -> int | None:
        percent: Decimal | None = super().clean(value)
        return None if percent is None else int(percent * 100)


def _percent(name: str, label: Any, help_text: Any, **facts: Any) -> PercentField:
    least, most = LIMITS[name]
    return PercentField(
        label=label,
        help_text=help_text,
        min_value=Decimal(least) / 100,
        max_value=Decimal(most) / 100,
        decimal_places=2,
        widget=forms.NumberInput({"class": "input input-number", "step": "any"}),
        show_hidden_initial=True,
        **facts,
    )


class SettingsForm(forms.Form):
    """What was shown travels along, so that only what this person changed is set, and nobody else's change undone."""

    description = forms.CharField(
        label=gettext_lazy("Description"),
        required=False,
        max_length=20_000,
        widget=forms.Textarea({"class": "textarea", "rows": 2}),
        show_hidden_initial=True,
    )
    deadline_ms = _whole_number(
        "deadline_ms",
        gettext_lazy("Deadline"),
        gettext_lazy("How long a call may take, at most 10 min. What takes longer is answered 504."),
    )
    batch_size = _whole_number(
        "batch_size",
        gettext_lazy("Largest batch"),
        gettext_lazy("How many rows of different calls may run together, at most 1024. 1 keeps calls apart."),
        required=False,
    )
    batch_delay_us = _whole_number(
        "batch_delay_us",
        gettext_lazy("Longest wait for a batch"),
        gettext_lazy("How long a call may wait for others to join it, at most 1 s. With 0 none waits."),
    )
    capture_bp = _percent(
        "capture_bp",
        gettext_lazy("Captured share"),
        gettext_lazy(
            "How many of the answers are kept with their requests, for replays and for outcomes. 0 keeps none."
        ),
    )
    capture_bytes = _whole_number(
        "capture_bytes",
        gettext_lazy("Largest captured request"),
        gettext_lazy("What is larger, together with its answer, is kept without both. Up to 1 MiB."),
    )
    replay_required = forms.BooleanField(
        label=gettext_lazy("Rollouts have to pass a replay of captured requests"),
        required=False,
        show_hidden_initial=True,
    )
    slo_p99_ms = _whole_number(
        "slo_p99_ms",
        gettext_lazy("Objective for the time to answer"),
        gettext_lazy("99 of 100 answers take no longer, whichever version gives them. A rollout holds while they do."),
        required=False,
    )
    slo_error_bp = _percent(
        "slo_error_bp",
        gettext_lazy("Objective for failed answers"),
        gettext_lazy("At most this share fails, whichever version answers. A rollout holds while more do."),
        required=False,
    )

    @property
    def as_shown(self) -> list[SafeString]:
        fields = self.fields.items()
        shown = [(self[name].html_initial_name, field.prepare_value(self[name].initial)) for name, field in fields]
        return [forms.HiddenInput().render(name, self.data.get(name, initial)) for name, initial in shown]


@page(GET="endpoint.edit", POST="endpoint.edit")
def settings(request: PageRequest, slug: str) -> HttpResponse:
    endpoint = get_endpoint(request.principal, slug)
    policy.require_endpoint(request.principal, "endpoint.edit", endpoint.project_id, slug)
    initial = {name: getattr(endpoint, name) for name in SettingsForm.base_fields}
    form, status = SettingsForm(request.POST if request.method == "POST" else None, initial=initial), 200
    if request.method == "POST":
        status = 400
        if form.is_valid():
            try:
                said = _save(request, endpoint, {name: form.cleaned_data[name] for name in form.changed_data})
            except PortalError as error:
                status = blame(form, error)
            else:
                return go(request, "endpoint", slug, said=said)
    return show(request, "inference/endpoint_settings.html", {"endpoint": endpoint, "form": form}, status)


def _save(request: PageRequest, endpoint: Endpoint, changes: dict[str, Any]) -> str:
    if not changes:
        return _("Nothing was changed.")
    edit_endpoint(request.principal, endpoint, changes)
    return _("Saved. The next calls follow it.") if changes.keys() & LIMITS.keys() else _("Saved.")


class ServiceForm(ReasonForm):
    """The wanted state stands in the form: an old dialog never does the opposite of what it says."""

    epoch = None  # type: ignore[assignment]
    state = forms.ChoiceField(choices=[("in", "in"), ("out", "out")], widget=forms.HiddenInput)


@page(GET="endpoint.deploy", POST="endpoint.deploy")
def service(request: PageRequest, slug: str) -> HttpResponse:
    endpoint = get_endpoint(request.principal, slug)
    policy.require_endpoint(request.principal, "endpoint.deploy", endpoint.project_id, slug)
    initial = {"state": "in" if endpoint.unloaded_at else "out"}
    form, status = ServiceForm(request.POST if request.method == "POST" else None, initial=initial), 200
    if request.method == "POST":
        status = 400
        if form.is_valid():
            loaded = form.cleaned_data["state"] == "in"
            try:
                set_loaded(request.principal, endpoint, loaded, reason=form.cleaned_data["reason"])
            except PortalError as error:
                status = blame(form, error)
            else:
                words = _("“%(slug)s” answers again.") if loaded else _("“%(slug)s” is out of service.")
                return go(request, "endpoint", slug, said=words % {"slug": slug})
    context = {"endpoint": endpoint, "arms": arms_of(endpoint.live_split), "form": form}
    return show(request, "inference/endpoint_service.html", context, status)
