"""Decisions as sentences: what a page says first, the record keeps, and a message tells."""

from __future__ import annotations

from math import exp, log

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from inference.models import Rollout
from inference.rollouts.machine import Decision, Facts
from portal.lib.words import number

# Above it the exact number says nothing more.
MOST_SHOWN = 1_000_000
GUARDRAILS = {
    "errors": gettext_lazy("errors"),
    "latency": gettext_lazy("latency"),
    "agreement": gettext_lazy("disagreement"),
    "outcomes": gettext_lazy("wrong outcomes"),
}
WAITS_FOR = {
    "bake": gettext_lazy("time"),
    "n_min": gettext_lazy("requests"),
    "pairs": gettext_lazy("mirrored requests"),
    "proof": gettext_lazy("a proof that it is not worse"),
    "agreement": gettext_lazy("a proof that the answers agree"),
    "srm": gettext_lazy("the arms to get their share"),
    "check": gettext_lazy("a check that passes"),
    "approval": gettext_lazy("a person's approval"),
    "hold": gettext_lazy("the evidence to calm down"),
    "paused": gettext_lazy("a person to resume it"),
}


def e_value(ln_e: float | None) -> str:
    """E from its natural logarithm: 0.31, 4.2, 14, 1 234; never a 0 that is none."""
    if ln_e is None:
        return "–"
    if ln_e >= log(MOST_SHOWN):
        return f"> {number(MOST_SHOWN)}"
    value = exp(ln_e)
    if value < 0.01:
        return "< 0.01"
    return f"{value:.2g}" if value < 9.95 else number(round(value))


def e_is(ln_e: float | None) -> str:
    """= 0.31, > 1 000 000: what stands after the letter E."""
    text = e_value(ln_e)
    return text if text[0] in "<>" else f"= {text}"


def sentence_of(rollout: Rollout, decision: Decision, facts: Facts) -> str:
    if decision.event:
        return _of_event(rollout, decision, facts)
    waits = ", ".join(str(WAITS_FOR[code]) for code in decision.missing)
    return _("Waits for %(what)s.") % {"what": waits} if waits else ""


def _of_event(rollout: Rollout, decision: Decision, facts: Facts) -> str:
    if decision.code == "evidence":
        return _of_evidence(decision, facts)
    if decision.code == "fault":
        return facts.fault
    if decision.code == "slo":
        return facts.slo
    if decision.code == "thresholds":
        return _("%(n)s checks of the fixed limits failed.") % {"n": facts.n_failed_checks}
    if decision.code == "held_too_long":
        return _("It was on hold for too long without calming down.")
    if decision.code == "srm":
        return _("The arms do not get the share that they should: the counts cannot be trusted.")
    if decision.code == "telemetry":
        return _("A serving process does not tell what it counts: nothing is decided on old news.")
    if decision.code == "calm":
        return _("The evidence has calmed down, twice in a row.")
    return _of_gate(rollout, decision, facts)


def _of_evidence(decision: Decision, facts: Facts) -> str:
    found = {"what": GUARDRAILS[decision.guardrail], "e": e_is(facts.ln_e[decision.guardrail])}
    if decision.event == "roll_back":
        return _("Evidence of more %(what)s: E %(e)s, and 400 is enough to roll back.") % found
    return _("Evidence of more %(what)s: E %(e)s. Nothing moves from 10 on; it goes on below 5.") % found


def _of_gate(rollout: Rollout, decision: Decision, facts: Facts) -> str:
    if decision.event == "promote":
        return _("Every stage was passed.")
    if facts.n_pairs and not facts.n_canary:
        return _("Passed after %(n)s mirrored requests.") % {"n": facts.n_pairs}
    return _("Passed after %(n)s requests of the candidate: proven not worse by more than the margin.") % {
        "n": facts.n_canary
    }
