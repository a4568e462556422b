"""The steps of a validation as the page shows them, while it runs and afterwards."""

from __future__ import annotations

from datetime import datetime
from typing import Any, NamedTuple

from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from registry.artifacts.report import STEPS
from registry.models import ModelVersion, VersionStatus

WORDS: dict[str, tuple[Any, Any]] = {
    "stored": (_("Stored"), _("The bytes are on disk, named by their SHA-256.")),
    "unpack": (_("Unpacked"), _("The archive is opened in a sandbox; the model and the data files it names come out.")),
    "lint": (_("Structure"), _("Size, opset, external data, nesting: read without running anything.")),
    "checker": (_("ONNX checker"), _("The graph follows the ONNX specification.")),
    "load": (_("Load"), _("ONNX Runtime opens a session and names the inputs and outputs.")),
    "probe": (_("Trial run"), _("Made-up inputs go through; types and shapes hold what the model declares.")),
}
UNPACK = "unpack"


class Step(NamedTuple):
    """`state` is done, now, waiting, failed or skipped; `seconds` is None until it is known."""

    name: str
    label: Any
    text: Any
    state: str
    seconds: float | None


def steps_of(version: ModelVersion) -> list[Step]:
    rows = [_step("stored", "done", None), *_unpacking(version)]
    reported = {step["name"]: step for step in (version.report or {}).get("steps", [])}
    if version.status == VersionStatus.RECEIVING:
        return [*rows, *(_step(name, "waiting", None) for name in STEPS)]
    if version.status == VersionStatus.VALIDATING:
        return rows + _running(version)
    for name in STEPS:
        step = reported.get(name)
        state = "waiting" if step is None else {"ok": "done", "skipped": "waiting"}.get(step["status"], "failed")
        rows.append(_step(name, state, step["seconds"] if step else None))
    if version.status == VersionStatus.REJECTED and all(row.state != "failed" for row in rows):
        # Refused at the first look, before any step could report.
        first = next((index for index, row in enumerate(rows) if row.state == "waiting"), len(rows) - 1)
        rows[first] = rows[first]._replace(state="failed")
    return rows


def _unpacking(version: ModelVersion) -> list[Step]:
    """Only for a version that came as an archive."""
    report = version.report or {}
    if version.status == VersionStatus.RECEIVING:
        begun = [datetime.fromisoformat(step["at"]) for step in version.steps if step["name"] == UNPACK]
        spent = (timezone.now() - begun[0]).total_seconds() if begun else None
        return [_step(UNPACK, "now" if begun else "waiting", spent)]
    if any(step["name"] == UNPACK for step in report.get("steps", [])):
        return [_step(UNPACK, "failed", None)]
    return [_step(UNPACK, "done", None)] if "archive" in report.get("facts", {}) else []


def _running(version: ModelVersion) -> list[Step]:
    """`version.steps` holds what has begun, oldest first; the last of it is what runs now."""
    begun = {step["name"]: datetime.fromisoformat(step["at"]) for step in version.steps}
    order = [name for name in STEPS if name in begun]
    ends = [*(begun[name] for name in order[1:]), timezone.now()]
    # Before the first step there is one end too many.
    spent = {name: (end - begun[name]).total_seconds() for name, end in zip(order, ends, strict=False)}
    last = order[-1] if order else None
    return [
        _step(name, "waiting" if name not in begun else "now" if name == last else "done", spent.get(name))
        for name in STEPS
    ]


def _step(name: str, state: str, seconds: float | None) -> Step:
    label, text = WORDS[name]
    return Step(name, label, text, state, seconds)
