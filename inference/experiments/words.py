"""An experiment's findings in one sentence, with the numbers it rests on. Read from the stored verdict, in the reader's
own language."""

from __future__ import annotations

from math import exp
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from inference.analysis.sequences import MIN_EVENTS, MIN_UNITS
from inference.experiments.verdict import Code
from inference.models import Experiment
from portal.lib.words import NARROW, number, seconds

Metric = Experiment.Metric
MINUS = "\N{MINUS SIGN}"
SHARES = (Metric.ERROR, Metric.AGREEMENT)
WHAT: dict[str, Any] = {
    Metric.ERROR: gettext_lazy("the share of keys that met a failed answer"),
    Metric.LATENCY: gettext_lazy("the mean time to answer"),
    Metric.REWARD: gettext_lazy("the mean reward"),
    Metric.AGREEMENT: gettext_lazy("the share of right answers"),
}
EVENTS: dict[str, Any] = {
    Metric.ERROR: gettext_lazy("keys with a failed answer"),
    Metric.LATENCY: gettext_lazy("keys"),
    Metric.REWARD: gettext_lazy("keys with a reward"),
    Metric.AGREEMENT: gettext_lazy("keys with and keys without a wrong answer"),
}


def amount(metric: str, value: float | None) -> str:
    """3.1 %, 38 ms or 0.25, as the metric has it."""
    if value is None:
        return "–"
    sign = MINUS if value < 0 else ""
    if metric in SHARES:
        return f"{sign}{_digits(abs(value) * 100)}{NARROW}%"
    return sign + (seconds(abs(value)) if metric == Metric.LATENCY else f"{abs(value):.4g}")


def change(metric: str, value: float | None) -> str:
    """A difference with its sign: +1.2 points, −12 ms."""
    if value is None:
        return "–"
    sign = MINUS if value < 0 else "+"
    if metric in SHARES:
        return _("%(n)s points") % {"n": f"{sign}{_digits(abs(value) * 100)}"}
    return sign + (seconds(abs(value)) if metric == Metric.LATENCY else f"{abs(value):.4g}")


def between(metric: str, low: float, high: float) -> str:
    """Both ends of an interval; a unit that they share is said once: −3.1 to +1.2 points."""
    first, last = change(metric, low), change(metric, high)
    if metric in SHARES:
        first = first.removesuffix(_("%(n)s points") % {"n": ""})
    return _("%(low)s to %(high)s") % {"low": first, "high": last}


def _digits(value: float) -> str:
    return f"{value:.1f}" if value >= 10 or not value else f"{value:.2g}" if value < 1 else f"{value:.2f}"


def sentence_of(experiment: Experiment) -> str:
    """The verdict; before anything was collected, what is waited for."""
    verdict = experiment.verdict
    if "code" not in verdict:
        return _("Undecided: no key has been counted yet.")
    return _SENTENCES[Code(verdict["code"])](experiment, verdict)


def _facts(experiment: Experiment, verdict: dict[str, Any]) -> dict[str, str]:
    """What the sentences name: the arm that the verdict is about, beside the control."""
    control = verdict["arms"][0]
    arm = next(item for item in verdict["arms"] if item["key"] == verdict["arm"])
    gap = arm["difference"]
    metric = experiment.metric
    return {
        "arm": arm["key"],
        "control": control["key"],
        "what": str(WHAT[metric]),
        "value": amount(metric, arm["value"]),
        "base": amount(metric, control["value"]),
        "change": change(metric, gap["estimate"]) if gap else "–",
        "between": between(metric, gap["low"], gap["high"]) if gap else "–",
        "d": change(metric, experiment.min_effect).removeprefix("+"),
    }


def _numbers(facts: dict[str, str]) -> str:
    if facts["change"] == "–":
        return (
            _("%(what)s is %(value)s instead of %(base)s. That is proven, at 1 %%; for an interval they are too few.")
            % facts
        )
    return (
        _("%(what)s is %(value)s instead of %(base)s: a difference of %(change)s, with 95 %% certainty %(between)s.")
        % facts
    )


def _winner(experiment: Experiment, verdict: dict[str, Any]) -> str:
    facts = _facts(experiment, verdict)
    return _("%(arm)s is better than %(control)s: ") % facts + _numbers(facts)


def _loser(experiment: Experiment, verdict: dict[str, Any]) -> str:
    facts = _facts(experiment, verdict)
    if len(verdict["arms"]) > 2:
        return _("Nothing beats %(control)s. The best of the others is %(arm)s: ") % facts + _numbers(facts)
    return _("%(arm)s is worse than %(control)s: ") % facts + _numbers(facts)


def _no_difference(experiment: Experiment, verdict: dict[str, Any]) -> str:
    facts = _facts(experiment, verdict)
    return _("%(arm)s makes no difference of %(d)s or more to %(control)s: ") % facts + _numbers(facts)


def _undecided(experiment: Experiment, verdict: dict[str, Any]) -> str:
    missing = _missing(experiment, verdict)
    if missing:
        return missing
    facts = _facts(experiment, verdict)
    return _("Undecided: %(arm)s differs from %(control)s by anything of %(between)s, and %(d)s would matter.") % facts


def _missing(experiment: Experiment, verdict: dict[str, Any]) -> str:
    """What no interval can be without, by the arm that has the least of it."""
    if all(item["difference"] for item in verdict["arms"][1:]):
        return ""
    fewest = min(verdict["arms"], key=lambda item: item["n_measured"])
    if fewest["n_measured"] < MIN_UNITS:
        text = ngettext(
            "Undecided: %(arm)s has %(n)s measured key, and each arm needs %(least)s before anything is said.",
            "Undecided: %(arm)s has %(n)s measured keys, and each arm needs %(least)s before anything is said.",
            fewest["n_measured"],
        )
        return text % {"arm": fewest["key"], "n": number(fewest["n_measured"]), "least": MIN_UNITS}
    rarest = min(verdict["arms"], key=lambda item: item["n_events"])
    if rarest["n_events"] < MIN_EVENTS:
        return _("Undecided: %(arm)s has %(n)s %(events)s, and each arm needs %(least)s before anything is said.") % {
            "arm": rarest["key"],
            "n": rarest["n_events"],
            "events": EVENTS[experiment.metric],
            "least": MIN_EVENTS,
        }
    return _("Undecided: all keys of an arm measure the same so far, so nothing can be said about their spread.")


def _untrusted(experiment: Experiment, verdict: dict[str, Any]) -> str:
    total = sum(item["n_units"] for item in verdict["arms"])
    got = ", ".join(
        _("%(arm)s %(n)s where %(due)s were due")
        % {"arm": item["key"], "n": number(item["n_units"]), "due": number(round(total * item["weight_bp"] / 10_000))}
        for item in verdict["arms"]
    )
    return _("The arms did not get the keys they should: do not trust this. Of %(n)s keys %(got)s.") % {
        "n": number(total),
        "got": got,
    }


_SENTENCES = {
    Code.WINNER: _winner,
    Code.LOSER: _loser,
    Code.NO_DIFFERENCE: _no_difference,
    Code.UNDECIDED: _undecided,
    Code.UNTRUSTED: _untrusted,
}


def breach_sentence(experiment: Experiment, breach: dict[str, Any]) -> str:
    """A broken guardrail: what an arm is proven to do worse."""
    if breach["guardrail"] == "error_increase":
        return _("%(arm)s makes more keys meet a failed answer: proven by more than the tolerated %(n)s points.") % {
            "arm": breach["arm"],
            "n": _digits(breach["tolerated"] * 100),
        }
    return _("%(arm)s is slower on average: proven by more than the tolerated %(n)s.") % {
        "arm": breach["arm"],
        "n": seconds(breach["tolerated"]),
    }


def srm_odds(verdict: dict[str, Any]) -> str:
    """How many times better than by the weights the keys are explained otherwise; an alarm begins at 1 000."""
    ln_e = verdict.get("srm_ln", 0.0)
    return _("over a million") if ln_e > 14 else f"{exp(ln_e):,.3g}".replace(",", NARROW)
