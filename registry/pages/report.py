"""The validation's report for people: what the file is, what its trial run took, and what that means for serving it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from django.utils.translation import gettext as _now
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

from portal.lib.words import number, seconds, size
from registry.artifacts.isolation import REASONS
from registry.artifacts.limits import MAX_IR_VERSION, MAX_OPSETS, MIN_IR_VERSION, MIN_OPSET

_MOST_OPERATORS = 8
_MOST_LABELS = 12


class Line(NamedTuple):
    """`note` says what the value means for whoever serves the model; often empty."""

    label: Any
    text: str
    note: str = ""


class Section(NamedTuple):
    title: Any
    lines: list[Line]


def sections_of(report: Mapping[str, Any] | None) -> list[Section]:
    """Only what is known: a file refused at the first look has none."""
    facts = (report or {}).get("facts") or {}
    made = ((_("The file"), _file), (_("Trial run"), _trial), (_("Serving"), _serving))
    sections = [Section(title, list(lines(facts))) for title, lines in made]
    return [section for section in sections if section.lines]


def _file(facts: Mapping[str, Any]) -> Iterator[Line]:
    if facts.get("producer"):
        yield Line(_("Made with"), str(facts["producer"])[:120])
    if facts.get("ir_version") is not None:
        takes = _now("this server takes %(low)d to %(high)d") % {"low": MIN_IR_VERSION, "high": MAX_IR_VERSION}
        yield Line(_("IR version"), number(facts["ir_version"]), takes)
    for domain, version in (facts.get("opsets") or {}).items():
        yield Line(_("Opset") if domain == "ai.onnx" else f"{_now('Opset')} {domain}", number(version), _takes(domain))
    if facts.get("operators"):
        yield Line(_("Operators"), *_operators(facts["operators"]))
    if facts.get("n_parameters") is not None:
        note = (
            _now("%(size)s of weights") % {"size": size(facts["weights_bytes"])} if facts.get("weights_bytes") else ""
        )
        yield Line(_("Parameters"), number(facts["n_parameters"]), note)
    if facts.get("archive"):
        yield Line(
            _("Came as an archive of"), size(facts["archive"]["size"]), _left_out(facts["archive"]["n_left_out"])
        )
    for output, labels in (facts.get("labels") or {}).items():
        note = _now("the file gives dictionaries (ZipMap); here they are columns")
        yield Line(_now("Columns of %(output)s") % {"output": output}, _labels(labels), note)


def _left_out(count: int) -> str:
    said = ngettext("one file in it was not needed", "%(count)d files in it were not needed", count)
    return said % {"count": count} if count else ""


def _takes(domain: str) -> str:
    newest = MAX_OPSETS.get("" if domain == "ai.onnx" else domain)
    if newest is None:
        return ""
    lowest = MIN_OPSET if domain == "ai.onnx" else 1
    return _now("this server takes %(low)d to %(high)d") % {"low": lowest, "high": newest}


def _operators(counts: Mapping[str, int]) -> tuple[str, str]:
    ranked = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    shown = ", ".join(f"{name} × {count}" if count > 1 else name for name, count in ranked[:_MOST_OPERATORS])
    rest = len(ranked) - _MOST_OPERATORS
    return shown, _now("and %(count)d other kinds") % {"count": rest} if rest > 0 else ""


def _labels(labels: list[Any]) -> str:
    shown = ", ".join(str(label) for label in labels[:_MOST_LABELS])
    return f"{shown}, …" if len(labels) > _MOST_LABELS else shown or "–"


def _trial(facts: Mapping[str, Any]) -> Iterator[Line]:
    probe = facts.get("probe")
    if probe == "ok":
        yield Line(_("Runs on made-up inputs"), _yes(True), _inputs(facts.get("probe_inputs")))
    elif probe is not None:
        yield Line(_("Runs on made-up inputs"), _yes(False), _now("what follows from trial runs is not known"))
    if facts.get("run_seconds") is not None:
        yield Line(_("One row takes"), seconds(facts["run_seconds"]), _now("on one processor, median"))
    if facts.get("load_seconds") is not None:
        yield Line(_("Loading takes"), seconds(facts["load_seconds"]))
    if facts.get("session_memory_bytes") is not None:
        yield Line(_("Memory once loaded"), size(facts["session_memory_bytes"]))
    # Of a file refused before it was loaded it says what reading it took, which is nobody's question.
    if probe is not None and facts.get("peak_memory_bytes") is not None:
        yield Line(_("Memory at most"), size(facts["peak_memory_bytes"]), _now("with the file itself and its check"))
    if facts.get("deterministic") is not None:
        note = "" if facts["deterministic"] else _now("golden requests and comparisons need a tolerance")
        yield Line(_("Same answer twice"), _yes(facts["deterministic"]), note)


def _inputs(accepted: Any) -> str:
    if not isinstance(accepted, Mapping):
        return ""
    words = {"zeros": _now("zeros"), "ones": _now("ones"), "random": _now("random values")}
    values = words.get(str(accepted.get("values")), str(accepted.get("values")))
    return _now("%(values)s; sizes that may vary were %(size)s") % {"values": values, "size": accepted.get("free")}


def _serving(facts: Mapping[str, Any]) -> Iterator[Line]:
    if facts.get("isolated") is not None:
        yield Line(_("Runs"), *_where(facts))
    if facts.get("dynamic_batch") is not None and facts.get("probe") == "ok":
        note = "" if facts["dynamic_batch"] else _now("a request carries as many rows as the shape says")
        yield Line(_("Takes batches"), _yes(facts["dynamic_batch"]), note)
    if facts.get("batch_coupled") is not None:
        note = _now("requests are never joined and jobs run row by row") if facts["batch_coupled"] else ""
        yield Line(_("Rows influence each other"), _yes(facts["batch_coupled"]), note)
    if facts.get("batching"):
        yield Line(_("Requests may share a run"), *_sharing(facts["batching"]))


def _where(facts: Mapping[str, Any]) -> tuple[str, str]:
    if not facts["isolated"]:
        return _now("in the serving process"), ""
    reasons = [_now(REASONS[code]) for code in facts.get("isolation_reasons") or () if code in REASONS]
    return _now("in a process of its own"), _now("because %(reasons)s") % {"reasons": _now(" and ").join(reasons)}


def _sharing(batching: Mapping[str, Any]) -> tuple[str, str]:
    if batching.get("max_size", 1) < 2:
        return _now("no"), _now("it gains too little, or an answer changes in its last bit")
    rows = _now("up to %(size)d rows") % {"size": batching["max_size"]}
    return rows, _now("%(gain).1f times as many rows a second then") % {"gain": batching["gain"]}


def _yes(value: bool) -> str:
    return _now("yes") if value else _now("no")
