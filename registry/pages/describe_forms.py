"""Forms for what people say of a model or a version. Tags and metrics are typed one a line: `team = risk`."""

from __future__ import annotations

import re
from typing import Any, Self

from django import forms
from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _now
from django.utils.translation import gettext_lazy as _

from registry.models import ModelVersion, RegisteredModel

LINES = {"class": "textarea textarea-code textarea-lines", "rows": 4, "spellcheck": "false", "autocomplete": "off"}
_PAIR = re.compile(r"((?:\\.|[^\\=])*)=(.*)\Z", re.DOTALL)
_ESCAPE = re.compile(r"\\(.)", re.DOTALL)


class PairsField(forms.CharField):
    """`name = value`, one a line; becomes a dict of texts.

    A line break inside of a value is typed as \\n, an equals sign inside of a name as \\=, a backslash doubled.
    """

    def __init__(self, **extra: Any) -> None:
        super().__init__(required=False, max_length=600_000, widget=forms.Textarea(LINES), **extra)

    def prepare_value(self, value: Any) -> Any:
        if not isinstance(value, dict):
            return value
        lines = ((_escaped(name).replace("=", "\\="), _escaped(str(part))) for name, part in sorted(value.items()))
        return "\n".join(f"{name} = {part}" for name, part in lines)

    def clean(self, value: Any) -> dict[str, Any]:
        pairs: dict[str, Any] = {}
        for number, line in enumerate(super().clean(value).replace("\r\n", "\n").split("\n"), 1):
            if line.strip():
                name, part = _pair(line, number)
                if name in pairs:
                    raise ValidationError(_now("“%(name)s” stands there twice.") % {"name": name})
                pairs[name] = part
        return pairs


def _pair(line: str, number: int) -> tuple[str, str]:
    match = _PAIR.match(line)
    if match is None or not match[1].strip():
        raise ValidationError(_now("Line %(n)d: type it like “team = risk”.") % {"n": number})
    return _unescaped(match[1].strip()), _unescaped(match[2].strip())


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace("\n", "\\n").replace("\r", "\\r")


def _unescaped(text: str) -> str:
    return _ESCAPE.sub(lambda match: {"n": "\n", "r": "\r"}.get(match[1], match[1]), text)


class NumbersField(PairsField):
    """The same with numbers."""

    def clean(self, value: Any) -> dict[str, Any]:
        numbers = {}
        for name, text in super().clean(value).items():
            try:
                numbers[name] = float(text)
            except ValueError:
                raise ValidationError(_now("“%(name)s” has to be a number such as 0.97.") % {"name": name}) from None
        return numbers


def _card() -> forms.CharField:
    return forms.CharField(
        label=_("Card"),
        required=False,
        max_length=20_000,
        strip=False,
        help_text=_("Markdown: headings, lists, tables, links, code. Pictures of other hosts become links."),
        widget=forms.Textarea({"class": "textarea", "rows": 12, "dir": "auto"}),
    )


class ModelForm(forms.Form):
    description = _card()
    tags = PairsField(label=_("Tags"), help_text=_("One a line: team = risk"))

    @classmethod
    def of(cls, model: RegisteredModel, data: Any) -> Self:
        return cls(data, initial={"description": model.description, "tags": model.tags})

    def changes(self) -> dict[str, Any]:
        return {name: self.cleaned_data[name] for name in ("description", "tags")}


class VersionForm(forms.Form):
    description = _card()
    tags = PairsField(label=_("Tags"), help_text=_("One a line: framework = scikit-learn"))
    metrics = NumbersField(label=_("Metrics"), help_text=_("One a line: accuracy = 0.97"))

    @classmethod
    def of(cls, version: ModelVersion, data: Any) -> Self:
        initial = {"description": version.description, "tags": version.tags, "metrics": version.metrics}
        return cls(data, initial=initial)

    def changes(self) -> dict[str, Any]:
        return {name: self.cleaned_data[name] for name in ("description", "tags", "metrics")}
