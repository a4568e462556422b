"""The form of a project's settings. It checks the shape of the input; the rules stand in the services."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from registry.models import Project, SignaturePolicy
from registry.services.projects import LIMITS
from registry.services.retention import DAYS, MOST_DAYS, MOST_KEPT

RULES = (*DAYS, "keep_last")
GIGABYTE = 9  # digits


class GigabyteField(forms.DecimalField):
    """Gigabytes to the person, bytes to the program; nine decimals, so that nothing is lost on the way."""

    def prepare_value(self, value: Any) -> Any:
        return f"{Decimal(value).scaleb(-GIGABYTE).normalize():f}" if isinstance(value, int) else value

    def clean(self, value: Any) -> int | None:
        if isinstance(value, int):
            return value  # Of a disabled field: what stands in the project.
        amount: Decimal | None = super().clean(value)
        return None if amount is None else int(amount.scaleb(GIGABYTE))


def _limit(label: Any, help_text: Any) -> GigabyteField:
    return GigabyteField(
        label=label,
        help_text=help_text,
        required=False,
        min_value=Decimal("0.000000001"),
        max_value=Decimal(4_000_000_000),
        decimal_places=GIGABYTE,
        widget=forms.NumberInput({"class": "input input-number", "step": "any"}),
    )


def _rule(label: Any, help_text: Any, least: int, most: int) -> forms.IntegerField:
    return forms.IntegerField(
        label=label,
        help_text=help_text,
        required=False,
        min_value=least,
        max_value=most,
        widget=forms.NumberInput({"class": "input input-number"}),
    )


class ProjectForm(forms.Form):
    quota_bytes = _limit(
        _("Quota"), _("All versions and open uploads together. Empty: no bound but the disk. An administrator sets it.")
    )
    max_upload_bytes = _limit(
        _("Largest upload"), _("A single file. Empty: as the installation says. An administrator sets it.")
    )
    signature_policy = forms.ChoiceField(
        label=_("Uploader's signature"),
        help_text=_("Whether an upload has to be signed with the uploader's own key."),
        choices=SignaturePolicy.choices,
        widget=forms.Select({"class": "select"}),
    )
    rejected_days = _rule(_("Delete rejected versions after"), _("Days since the upload. Empty: never."), 1, MOST_DAYS)
    unserved_days = _rule(
        _("Archive unused versions after"),
        _("Days without traffic, calls or jobs. What has an alias is in use. Empty: never."),
        1,
        MOST_DAYS,
    )
    keep_last = _rule(
        _("but keep the newest"), _("So many ready versions of each model stay whatever their age."), 0, MOST_KEPT
    )
    archived_days = _rule(
        _("Delete archived versions after"), _("Days since they were archived. Empty: never."), 1, MOST_DAYS
    )

    def __init__(self, data: Any = None, *, project: Project, may_edit: bool, may_limit: bool) -> None:
        initial = {name: getattr(project, name) for name in (*LIMITS, "signature_policy")}
        super().__init__(data, initial={**initial, **project.retention})
        for name, field in self.fields.items():
            field.disabled = not may_edit or (name in LIMITS and not may_limit)

    def rules(self) -> dict[str, int | None]:
        return {name: self.cleaned_data[name] for name in RULES}

    def settings(self) -> dict[str, Any]:
        """As `edit_project` takes them."""
        plain = {name: self.cleaned_data[name] for name in (*LIMITS, "signature_policy")}
        return {**plain, "retention": self.rules()}
