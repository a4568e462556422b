"""Small words of the pages: icons, badges, times, sizes, fields. Each is plain text or escaped HTML without a style."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from functools import cache
from typing import Any
from zlib import crc32

from django import template
from django.core.paginator import Page
from django.forms import BoundField
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.html import format_html
from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext
from lucide.templatetags.lucide import lucide

from portal.lib import words

register = template.Library()

# status -> (icon, tone, word)
BADGES: dict[str, tuple[str, str, Any]] = {
    "receiving": ("upload", "info", gettext_lazy("Receiving")),
    "validating": ("loader-circle", "info", gettext_lazy("Validating")),
    "ready": ("circle-check", "good", gettext_lazy("Ready")),
    "rejected": ("octagon-x", "bad", gettext_lazy("Rejected")),
    "archived": ("archive", "", gettext_lazy("Archived")),
    "queued": ("clock", "", gettext_lazy("Queued")),
    "running": ("loader-circle", "info", gettext_lazy("Running")),
    "succeeded": ("circle-check", "good", gettext_lazy("Succeeded")),
    "succeeded_with_errors": ("triangle-alert", "warn", gettext_lazy("Succeeded with errors")),
    "failed": ("octagon-x", "bad", gettext_lazy("Failed")),
    "cancelled": ("ban", "", gettext_lazy("Cancelled")),
    "live": ("radio", "good", gettext_lazy("Live")),
    "serving": ("radio", "good", gettext_lazy("Serving")),
    "splitting": ("split", "warn", gettext_lazy("Split")),
    "idle": ("circle-dashed", "", gettext_lazy("No traffic yet")),
    "unloaded": ("power-off", "bad", gettext_lazy("Out of service")),
    "quarantined": ("shield-alert", "bad", gettext_lazy("Quarantined")),
    "active": ("circle-check", "good", gettext_lazy("Active")),
    "expired": ("clock-alert", "warn", gettext_lazy("Expired")),
    "revoked": ("ban", "", gettext_lazy("Revoked")),
}
TURNING = ("loader-circle",)


@cache
def _icon(name: str, classes: str) -> str:
    return lucide(name, size=16, **{"class": classes, "aria-hidden": "true", "focusable": "false"})


@register.simple_tag
def icon(name: str, extra: str = "") -> SafeString:
    """A decorative icon: what it means stands beside it as a word."""
    return mark_safe(_icon(str(name) + "", f"icon {extra}".strip()))  # noqa: S308 - our own names only


@register.simple_tag
def badge(status: str, word: str = "") -> SafeString:
    """Icon and word of a state; never colour alone."""
    name, tone, default = BADGES.get(str(status), ("circle", "", str(status)))
    turning = "spin" if name in TURNING else ""
    classes = f"badge is-{tone}" if tone else "badge"
    return format_html('<span class="{}">{}{}</span>', classes, icon(name, turning), word or default)


# --- numbers --------------------------------------------------------------------------------------------------------

for _name in ("number", "size", "percent", "plain_percent", "seconds"):
    register.filter(_name, getattr(words, _name))


@register.filter
def shape(sizes: Iterable[int]) -> str:
    """[-1, 4] -> [any, 4]."""
    return "[" + ", ".join(_("any") if part == -1 else str(part) for part in sizes) + "]"


@register.filter
def whole(value: float) -> int:
    return round(value)


@register.filter
def share_words(share: float) -> str:
    """0.4217 -> 42 %; never 100 % before the end."""
    return words.percent(min(10_000, int(share * 100) * 100))


@register.filter
def first_sentence(text: str) -> str:
    return f"{head}." if (head := text.partition(". ")[0]) != text else text


@register.filter
def other_sentences(text: str) -> str:
    return text.partition(". ")[2]


@register.filter
def words_in(text: str) -> list[str]:
    return text.split()


@register.filter
def slug_id(name: str) -> str:
    """An element id for a name from outside."""
    return f"out-{crc32(name.encode()):08x}"


# --- time -----------------------------------------------------------------------------------------------------------


def relative(moment: datetime, now: datetime) -> str:
    """5 min ago; in 3 days. Beyond ten days the date itself says more."""
    gap = (now - moment).total_seconds()
    amount = abs(gap)
    if amount < 45:
        return _("just now") if gap >= 0 else _("in a moment")
    if amount < 3600:
        gap_words = _("%(n)d min") % {"n": max(1, round(amount / 60))}
    elif amount < 86_400:
        gap_words = _("%(n)d h") % {"n": round(amount / 3600)}
    elif amount < 10 * 86_400 or gap < 0:
        days = round(amount / 86_400)
        gap_words = ngettext("%(n)d day", "%(n)d days", days) % {"n": days}
    else:
        return date_format(timezone.localtime(moment), "j M Y")
    return (_("%(time)s ago") if gap >= 0 else _("in %(time)s")) % {"time": gap_words}


@register.filter
def ago(moment: datetime | None) -> str:
    """Relative, with the exact moment in the title."""
    if moment is None:
        return "–"
    exact = timezone.localtime(moment)
    title = exact.strftime("%Y-%m-%d %H:%M:%S %Z")
    return format_html(
        '<time datetime="{}" title="{}">{}</time>', exact.isoformat(), title, relative(moment, timezone.now())
    )


# --- forms and lists ------------------------------------------------------------------------------------------------


@register.inclusion_tag("components/_field.html")
def field(bound: BoundField, **extra: Any) -> dict[str, Any]:
    """A form field with its label, help and errors; ids tie them together for screen readers."""
    described = []
    if bound.help_text:
        described.append(f"{bound.id_for_label}-help")
    if bound.errors:
        described.append(f"{bound.id_for_label}-error")
    attrs = {name.replace("_", "-"): value for name, value in extra.items() if name not in ("unit", "label_hidden")}
    if bound.errors:
        # Brings the field into view; of several the browser takes the first.
        attrs["autofocus"] = ""
    if described:
        attrs["aria-describedby"] = " ".join(described)
    return {"field": bound, "widget": bound.as_widget(attrs=attrs), **extra}


@register.inclusion_tag("components/_pager.html", takes_context=True)
def pager(context: dict[str, Any], page: Page) -> dict[str, Any]:
    return {"page": page, "request": context["request"]}


@register.inclusion_tag("components/_sort.html", takes_context=True)
def sort_head(context: dict[str, Any], key: str, label: str, css: str = "") -> dict[str, Any]:
    """A table head that sorts by `key`; pressing it again turns the order round."""
    now = context.get("sort", "")
    state = {key: "ascending", f"-{key}": "descending"}.get(now, "")
    target = f"-{key}" if now == key else key
    return {"request": context["request"], "label": label, "key": key, "state": state, "target": target, "css": css}


@register.simple_block_tag
def snippet(content: str, name: str, label: str = "", wrap: bool = False) -> SafeString:
    """Code with a copy button. `content` is rendered template output and therefore already escaped."""
    classes = "snippet snippet-wrap" if wrap else "snippet"
    title = label or _("Example")
    return format_html(
        '<div class="{}"><pre tabindex="0" role="region" aria-label="{}"><code id="{}">{}</code></pre>'
        '<button type="button" class="button button-small button-quiet button-icon copy" data-copy="{}" data-done="{}">'
        '{}<span class="sr">{}</span></button></div>',
        classes,
        title,
        name,
        mark_safe(content.strip()),  # noqa: S308 - escaped by the template that rendered it
        name,
        _("Copied"),
        icon("copy", "icon-s"),
        _("Copy: %(name)s") % {"name": title},
    )
