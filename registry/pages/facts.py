"""The facts of a validation report in words, as the page of a version shows them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.utils.translation import gettext as _now
from django.utils.translation import gettext_lazy as _

from portal.lib.words import number, seconds
from registry.artifacts.isolation import REASONS

# What a page shows, in this order.
FACTS: dict[str, Any] = {
    "opsets": _("Opset"),
    "ir_version": _("IR version"),
    "producer": _("Made with"),
    "n_nodes": _("Nodes"),
    "n_parameters": _("Parameters"),
    "run_seconds": _("One row takes"),
    "dynamic_batch": _("Takes batches"),
    "batch_coupled": _("Rows influence each other"),
    "deterministic": _("Same answer twice"),
    "batching": _("Requests may share a run"),
    "isolated": _("Runs"),
}


def fact_lines(facts: Mapping[str, Any]) -> list[tuple[Any, str]]:
    """(label, text) for what is known."""
    return [(label, _words(name, facts)) for name, label in FACTS.items() if facts.get(name) not in (None, "", [])]


def _words(name: str, facts: Mapping[str, Any]) -> str:
    value = facts[name]
    if name == "run_seconds":
        return seconds(value)
    if name == "isolated":
        return _where(bool(value), facts.get("isolation_reasons") or ())
    if name == "batching":
        return _sharing(value)
    if isinstance(value, bool):
        return _now("yes") if value else _now("no")
    if isinstance(value, int):
        return number(value)
    if isinstance(value, dict):
        return ", ".join(str(part) if key == "ai.onnx" else f"{key} {part}" for key, part in value.items())
    return str(value)[:120]


def _where(isolated: bool, reasons: Any) -> str:
    if not isolated:
        return _now("in the serving process")
    because = _now(" and ").join(_now(REASONS[code]) for code in reasons if code in REASONS)
    return _now("in a process of its own, because %(reasons)s") % {"reasons": because}


def _sharing(batching: Any) -> str:
    size = batching.get("max_size", 1)
    if size < 2:
        return _now("no")
    return _now("up to %(size)d rows; the model itself is %(gain).1f times as fast then") % {
        "size": size,
        "gain": batching["gain"],
    }
