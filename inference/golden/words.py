"""What is said about golden requests: of one answer, and of a whole run."""

from __future__ import annotations

from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from inference.golden.comparing import Finding
from inference.models import GoldenRun

MOST_NAMED = 3


def brief(value: Any) -> str:
    """Six digits of a long number are enough to see how far off it is; anything else as it is."""
    whole = str(value)
    return f"{value:.6g}" if isinstance(value, float) and len(whole) > 8 else whole


def _apart(finding: Finding) -> tuple[str, str]:
    """What came and what was expected, as short as the two can be told apart."""
    short = brief(finding.got), brief(finding.expected)
    return short if short[0] != short[1] else (str(finding.got), str(finding.expected))


def told(finding: Finding, rtol: float, atol: float) -> str:
    """With the numbers where they differ."""
    got, expected = _apart(finding)
    facts = {"output": finding.output, "got": got, "expected": expected}
    if not finding.code:
        return ngettext("%(n)s value agrees.", "%(n)s values agree.", finding.n_elements) % {"n": finding.n_elements}
    if finding.code == "missing":
        return _("There is no output “%(output)s”.") % facts
    if finding.code == "datatype":
        return _("Output “%(output)s” is %(got)s, expected was %(expected)s.") % facts
    if finding.code == "shape":
        return _("Output “%(output)s” has the shape %(got)s, expected was %(expected)s.") % facts
    counts = {"wrong": finding.n_wrong, "all": finding.n_elements, "rtol": f"{rtol:g}", "atol": f"{atol:g}"}
    sentence = _(
        "Output “%(output)s” at %(index)s is %(got)s, expected was %(expected)s. %(wrong)s of %(all)s values are "
        "outside the tolerance (rtol %(rtol)s, atol %(atol)s)."
    )
    return sentence % {**facts, **counts, "index": finding.index}


def sentence_of(run: GoldenRun) -> str:
    """Of the whole run: how many, and the first that failed with their numbers."""
    counts = {"n": run.n_requests, "failed": run.n_failed}
    if not run.n_failed:
        return ngettext("%(n)s golden request passed.", "%(n)s golden requests passed.", run.n_requests) % counts
    named = [_one(result) for result in run.results if not result["passed"]][:MOST_NAMED]
    head = _("%(failed)s of %(n)s golden requests failed.") % counts
    return " ".join([head, *named])


def _one(result: dict[str, Any]) -> str:
    return _("“%(name)s”: %(sentence)s") % {"name": result["name"], "sentence": result["sentence"]}
