"""A comparison in words: groups of rows as the page shows them."""

from __future__ import annotations

import json
from typing import Any, NamedTuple

from django.utils.translation import gettext as _

from portal.lib.words import NARROW, size
from registry.comparison import Comparison, Line
from registry.models import ModelVersion
from registry.pages.facts import fact_lines

MOST_CHARACTERS = 240


class Row(NamedTuple):
    """`before` and `after` are texts, empty where a version has nothing; `note` says how far they lie apart."""

    label: str
    before: str
    after: str
    same: bool
    note: str = ""


class Group(NamedTuple):
    title: str
    rows: list[Row]


def rows_of(found: Comparison, *, only_differences: bool) -> list[Group]:
    """Without metrics and signature, which the page draws in their own way; empty groups are left out."""
    groups = [
        Group(_("File"), _artifact(found)),
        Group(_("Validation"), _facts(found.before, found.after)),
        Group(_("Manifest"), [_row(line) for line in found.sections["manifest"]]),
        Group(_("Tags"), [_row(line) for line in found.sections["tags"]]),
        Group(_("Lineage"), [_row(line) for line in found.sections["lineage"]]),
    ]
    if only_differences:
        groups = [Group(group.title, [row for row in group.rows if not row.same]) for group in groups]
    return [group for group in groups if group.rows]


def _artifact(found: Comparison) -> list[Row]:
    lines = {line.name: line for line in found.sections["artifact"]}
    big = lines["size"]
    digest = lines["sha256"]
    return [
        Row(_("Size"), size(big.before), size(big.after), big.same, size_change(big)),
        _row(lines["file_name"], _("File name")),
        _row(lines["n_files"], _("Files")),
        Row("SHA-256", digest.before[:16] + "…", digest.after[:16] + "…", digest.same),
        Row(_("Status"), _status(found.before), _status(found.after), lines["status"].same),
    ]


def _status(version: ModelVersion) -> str:
    return str(version.get_status_display())


def size_change(line: Line) -> str:
    """+12.0 % or -3.1 %; empty where it stays or cannot be said."""
    if not line.change or not line.before:
        return ""
    return f"{100 * line.change / line.before:+.1f}{NARROW}%"


def _facts(before: ModelVersion, after: ModelVersion) -> list[Row]:
    texts = [{str(label): text for label, text in fact_lines(_facts_of(each))} for each in (before, after)]
    labels = dict.fromkeys([*texts[0], *texts[1]])
    pairs = [(label, texts[0].get(label, ""), texts[1].get(label, "")) for label in labels]
    return [Row(label, old, new, old == new) for label, old, new in pairs]


def _facts_of(version: ModelVersion) -> dict[str, Any]:
    facts = (version.report or {}).get("facts")
    return facts if isinstance(facts, dict) else {}


def _row(line: Line, label: str = "") -> Row:
    return Row(label or line.name, _text(line.before), _text(line.after), line.same)


def _text(value: Any) -> str:
    if value is None:
        return ""
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return text if len(text) <= MOST_CHARACTERS else text[:MOST_CHARACTERS] + "…"
