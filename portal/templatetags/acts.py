"""Which acts a page may offer to whoever looks at it."""

from __future__ import annotations

from typing import Any

from django import template

from registry.access import policy

register = template.Library()


@register.simple_tag(takes_context=True)
def may(context: dict[str, Any], action: str, project_id: int) -> bool:
    """`{% may "version.delete" model.project_id as may_delete %}`"""
    return policy.can(context["request"].principal, action, project_id)
