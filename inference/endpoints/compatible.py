"""Whether callers of one version can call another one unchanged, and what is refused where they cannot."""

from __future__ import annotations

from django.utils.translation import gettext as _

from inference.selectors.signatures import signature_of
from portal.lib.errors import Conflict
from registry.artifacts.signature_diff import SignatureDiff, diff
from registry.models import ModelVersion

CODE = "signature_breaking"
MOST_SENTENCES = 5


def diff_of(before: ModelVersion, after: ModelVersion) -> SignatureDiff:
    return diff(signature_of(before), signature_of(after))


def check_compatible(before: ModelVersion, after: ModelVersion) -> None:
    """Raises Conflict (`signature_breaking`) that names every key that would break callers of `before`."""
    found = diff_of(before, after)
    if not found.breaks:
        return
    why = " ".join(change.sentence for change in found.breaking[:MOST_SENTENCES])
    raise Conflict(
        _("Version %(n)s would break callers of version %(live)s. %(why)s")
        % {"n": after.number, "live": before.number, "why": why},
        code=CODE,
        details={
            "version": after.number,
            "live": before.number,
            "kind": found.kind,
            "changes": [change.as_json() for change in found.changes],
        },
    )
