"""What is worth knowing of a version at a glance: who signed it, where it runs, whether rows may share a run."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from django.utils.translation import gettext as _

from registry.models import ModelVersion, VersionStatus


class Badge(NamedTuple):
    """`tone` is good, warn, info or empty; `hint` is the sentence behind the word."""

    icon: str
    tone: str
    word: str
    hint: str


def badges_of(version: ModelVersion) -> list[Badge]:
    found = [signed(version.seal)]
    if version.status in (VersionStatus.READY, VersionStatus.ARCHIVED) and version.signature:
        found += _runtime((version.report or {}).get("facts", {}))
    return found


def signed(seal: Mapping[str, Any]) -> Badge:
    uploader = seal.get("uploader") or {}
    if uploader:
        hint = _("Signed by its uploader with the key %(key)s; checked before every load.")
        word = _("Signed by %(name)s") % {"name": str(uploader.get("user") or "?")[:60]}
        return Badge("badge-check", "good", word, hint % {"key": str(uploader.get("key", ""))[:20]})
    if seal.get("signature"):
        if seal.get("warning"):
            hint = _("The portal signed it; this project would like its uploader's own signature, too.")
            return Badge("triangle-alert", "warn", _("Signed by the portal only"), hint)
        hint = _("The portal signed its digest at registration and checks it before every load.")
        return Badge("shield-check", "good", _("Signed by the portal"), hint)
    return Badge("shield-off", "", _("Not signed"), _("It is from before the portal signed what it takes."))


def _runtime(facts: Mapping[str, Any]) -> list[Badge]:
    found = []
    if facts.get("isolated"):
        hint = _("It runs in a process of its own, so that it cannot harm its neighbours.")
        found.append(Badge("box", "info", _("Runs apart"), hint))
    else:
        hint = _("It loaded and answered in this installation's runtime.")
        found.append(Badge("cpu", "good", _("Runs here"), hint))
    batching = facts.get("batching") or {}
    if facts.get("batch_coupled"):
        hint = _("A row's answer depends on the rows beside it: requests are never put together.")
        found.append(Badge("triangle-alert", "warn", _("Rows influence each other"), hint))
    elif batching.get("max_size", 1) > 1:
        hint = _("Up to %(n)s rows of different requests may share a run.") % {"n": batching["max_size"]}
        found.append(Badge("layers", "good", _("Batch-safe"), hint))
    if facts.get("deterministic") is False:
        hint = _("The same input gave two different answers.")
        found.append(Badge("dices", "warn", _("Answers differ from run to run"), hint))
    return found
