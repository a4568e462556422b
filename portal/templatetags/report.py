"""The validation's report on a version's page."""

from __future__ import annotations

from typing import Any

from django import template

from registry.pages.report import Section, sections_of

register = template.Library()


@register.filter
def report_sections(report: dict[str, Any] | None) -> list[Section]:
    return sections_of(report)
