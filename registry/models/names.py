"""What a name may look like. Names stand in URLs, so the alphabet is small and cannot climb a path."""

from __future__ import annotations

from django.core.validators import RegexValidator
from django.utils.translation import gettext_lazy as _

RESERVED_MODEL_NAMES = frozenset({"upload", "new", "compare"})

validate_slug = RegexValidator(
    r"\A[a-z0-9](?:[a-z0-9-]{0,62}[a-z0-9])?\Z",
    _("Use 1 to 64 lower-case letters, digits and hyphens, beginning and ending with a letter or digit."),
    code="invalid_slug",
)
validate_model_name = RegexValidator(
    r"\A[A-Za-z0-9](?:[A-Za-z0-9._-]{0,126}[A-Za-z0-9])?\Z",
    _("Use 1 to 128 letters, digits, dots, hyphens and underscores, beginning and ending with a letter or digit."),
    code="invalid_name",
)
validate_alias = RegexValidator(
    r"\A(?!latest\Z)(?!v\d+\Z)[A-Za-z0-9_-]{1,64}\Z",
    _("Use 1 to 64 letters, digits, hyphens and underscores; “latest” and “v1”, “v2” … are taken by the versions."),
    code="invalid_alias",
)
