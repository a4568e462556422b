"""The form of an upload: the file, the model's name, and what may be said of the version beside it."""

from __future__ import annotations

import json
from typing import Any
from uuid import UUID

from django import forms
from django.utils.translation import gettext as _now
from django.utils.translation import gettext_lazy as _

from portal.lib.errors import InvalidInput
from registry.artifacts.manifest import MAX_BYTES, check_manifest
from registry.models import SigningKey
from registry.pages.describe_forms import NumbersField, PairsField
from registry.pages.forms import INPUT, choose
from registry.services.lineage import MOST_CHARACTERS, is_address

AREA = {"class": "textarea", "rows": 2}
CODE = {**AREA, "class": "textarea textarea-code textarea-lines", "spellcheck": "false", "autocomplete": "off"}
# What only the closed part of the page asks for.
MORE = (
    *("tags", "metrics", "manifest"),
    *("parent", "run_name", "run_url", "trained_on", "code"),
    *("signing_key", "signature"),
)


def _line(label: Any, *, most: int = MOST_CHARACTERS, hint: str = "", **extra: Any) -> forms.CharField:
    widget = forms.TextInput({**INPUT, **({"placeholder": hint} if hint else {})})
    return forms.CharField(label=label, required=False, max_length=most, widget=widget, **extra)


class UploadForm(forms.Form):
    model = forms.CharField(
        label=_("Model"),
        max_length=128,
        help_text=_("An existing model gets its next version; a new name makes a new model."),
        widget=forms.TextInput(
            {**INPUT, "list": "model-names", "data-name-from-file": "", "placeholder": "fraud-score"}
        ),
    )
    file = forms.FileField(label=_("Model file"), allow_empty_file=True, required=False)
    # Ids of complete uploads, which the page's script sends in place of the file.
    uploads = forms.CharField(required=False, max_length=8_000)
    description = forms.CharField(
        label=_("What is new in this version"), required=False, max_length=20_000, widget=forms.Textarea(AREA)
    )
    tags = PairsField(label=_("Tags"), help_text=_("One a line: framework = scikit-learn"))
    metrics = NumbersField(label=_("Metrics"), help_text=_("One a line: accuracy = 0.97"))
    manifest = forms.CharField(
        label=_("Manifest"),
        required=False,
        max_length=MAX_BYTES,
        help_text=_("A JSON object with names of classes, scaling of inputs and the layout of pictures."),
        widget=forms.Textarea({**CODE, "rows": 5}),
    )
    parent = forms.IntegerField(
        label=_("Made from version"),
        required=False,
        min_value=1,
        max_value=2**31 - 1,
        help_text=_("Of the same model, by its number."),
        widget=forms.NumberInput({"class": "input", "placeholder": "3"}),
    )
    run_name = _line(_("Training run"), hint="lr-0.01")
    run_url = _line(_("Address of the run"), hint="https://…")
    trained_on = _line(_("Trained on"), hint="s3://lake/claims/2026-03", help_text=_("Text or an address."))
    code = _line(_("Code"), hint="https://…/commit/41ac", help_text=_("Text or an address."))
    signing_key = forms.ChoiceField(
        label=_("Signed with the key"), required=False, widget=forms.Select({"class": "select"})
    )
    signature = forms.CharField(
        label=_("Signature"),
        required=False,
        max_length=2_000,
        help_text=_("In base64, or the whole line that sign_model prints; then the key need not be chosen."),
        widget=forms.Textarea({**CODE, "rows": 2}),
    )

    def __init__(self, *args: Any, user_id: int | None, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        keys = SigningKey.objects.filter(user_id=user_id or 0, revoked_at=None)
        none = _("Not signed by me")
        choose(self, "signing_key", [("", none), *((key.fingerprint, str(key)) for key in keys)])

    @property
    def has_more(self) -> bool:
        """Whether the closed part of the form has to stand open: it holds something, or something in it is wrong."""
        return any(self[name].errors or (self.is_bound and self[name].data) for name in MORE)

    def clean_uploads(self) -> list[UUID]:
        try:
            return [UUID(word) for word in self.cleaned_data["uploads"].split()]
        except ValueError:
            raise forms.ValidationError(_("This is not the id of an upload.")) from None

    def clean_manifest(self) -> dict[str, Any]:
        try:
            return check_manifest(_object(self.cleaned_data["manifest"]))
        except InvalidInput as error:
            raise forms.ValidationError(error.message) from None

    def clean_run_url(self) -> str:
        url: str = self.cleaned_data["run_url"]
        if url and not is_address(url):
            raise forms.ValidationError(_("This has to begin with https:// or http://."))
        return url

    def clean(self) -> None:
        # A posted form without its file is told so even where a name is wrong, too.
        if not self.cleaned_data.get("uploads") and not self.files.getlist("file"):
            self.add_error("file", _("Choose the file to upload."))
        if self.cleaned_data.get("signing_key") and not self.cleaned_data.get("signature"):
            self.add_error("signature", _("Paste the signature that this key made, or choose no key."))

    def lineage(self) -> dict[str, Any]:
        """As `registry/services/lineage.py` takes it."""
        said = self.cleaned_data
        run = {"name": said["run_name"], "url": said["run_url"]}
        return {"parent": said["parent"], "run": run, "data": said["trained_on"], "code": said["code"]}

    def signed(self) -> Any:
        """The uploader's signature, or None."""
        text = self.cleaned_data["signature"].strip()
        if text.startswith("{"):
            try:
                return json.loads(text)
            except (ValueError, RecursionError):
                return {}
        return {"key": self.cleaned_data["signing_key"], "signature": text} if text else None


def _object(text: str) -> Any:
    if not text.strip():
        return {}
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        where = {"line": error.lineno, "column": error.colno}
        raise forms.ValidationError(
            _now("This is not JSON: look at line %(line)d, character %(column)d.") % where
        ) from None
    except (ValueError, RecursionError):
        raise forms.ValidationError(_now("This is not JSON.")) from None
