"""One card a guardrail: what it asks, what it has seen of both arms, and how far the evidence is from acting."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from math import exp
from typing import NamedTuple

from django.utils.translation import gettext as _

from inference.analysis.guardrails import HOLD_LN, ROLL_BACK_LN, Guardrail
from inference.analysis.latency import QUANTILES, TOLERATED_BUCKETS
from inference.models import Rollout, RolloutStage, RolloutState
from inference.monitoring.histogram import edge_of
from inference.pages.evidence_words import proof_words, rate_percent
from inference.rollouts.words import e_value
from inference.selectors.rollouts import Look, Pairs, Sums
from portal.lib.words import number, seconds

QUANTILE_WORDS = {"p50": "p50", "p90": "p90", "p99": "p99", "p999": "p99.9"}


class Mark(NamedTuple):
    """One point of a track: ln E at a moment."""

    at: datetime
    ln_e: float


class Row(NamedTuple):
    """A line of a card's table."""

    label: str
    stable: str
    canary: str
    hint: str = ""


class Card(NamedTuple):
    """`signal` is waiting, clear, holding or harm. `heads` are the columns of `rows`."""

    key: str
    title: str
    asks: str
    signal: str
    ln_e: float | None
    marks: list[Mark]
    heads: tuple[str, str]
    rows: list[Row]
    sentence: str


class Seen(NamedTuple):
    """What the cards are made of. `ledger` holds the sums of the present stage by test, `agreement` of all stages."""

    looks: Sequence[Look]
    ledger: Mapping[str, Sums]
    pairs: Pairs
    agreement: Sums
    stage: RolloutStage | None
    proof_ln: float


def cards_of(rollout: Rollout, seen: Seen) -> list[Card]:
    """Errors and latency where requests are divided, agreement where they are mirrored, outcomes once some come."""
    kinds = {stage.kind for stage in rollout.stages.all()}
    latest = seen.looks[-1].ln_e if seen.looks else {}
    in_shadow = seen.stage is not None and seen.stage.kind == RolloutStage.Kind.SHADOW
    cards = []
    if kinds - {RolloutStage.Kind.SHADOW} and not in_shadow and rollout.state != RolloutState.FAILED_VALIDATION:
        cards += [_errors(rollout, seen), _latency(seen)]
    if in_shadow or Guardrail.AGREEMENT in latest:
        cards.append(_agreement(rollout, seen))
    if Guardrail.OUTCOMES in latest:
        cards.append(_outcomes(seen))
    return cards


def _errors(rollout: Rollout, seen: Seen) -> Card:
    sums = _together(seen.ledger, "errors", "errors.requests")
    tolerant = rollout.options.get("tolerance") == "tolerant"
    asks = _("Does it fail more than 1.25 times as often?") if tolerant else _("Does it fail more often than stable?")
    rows = [
        Row(_("requests"), number(round(sums.n_s)), number(round(sums.n_c))),
        Row(_("failed"), number(sums.k_s), number(sums.k_c)),
        Row(_("rate"), rate_percent(sums.k_s, sums.n_s), rate_percent(sums.k_c, sums.n_c)),
    ]
    if seen.stage and seen.stage.delta and sums.n_c:
        points = {"n": f"{100 * seen.stage.delta:g}"}
        hint = _("Proof that errors are less than %(n)s points above stable's: E of 20") % points
        rows.append(Row(_("margin +%(n)s pt") % points, "", _("%(e)s of 20") % {"e": proof_words(seen.proof_ln)}, hint))
    waits = _("Needs answers of both arms.")
    return _card(Guardrail.ERRORS, _("Errors"), asks, seen, rows if sums.n_c or sums.n_s else [], waits)


def _together(ledger: Mapping[str, Sums], *names: str) -> Sums:
    """Requests that were drawn and those that followed a key."""
    found = [ledger[name] for name in names if name in ledger]
    return Sums(*map(sum, zip(*found, strict=True))) if found else Sums()


def _latency(seen: Seen) -> Card:
    """The shares that the test compares: above a quantile of stable, and above the same plus ten percent."""
    taus: dict[str, int] = (seen.stage.taus if seen.stage else None) or {}
    rows = []
    for name in QUANTILES:
        sums, tau = seen.ledger.get(f"latency.{name}"), taus.get(name)
        if sums and tau is not None:
            limits = {"a": seconds(edge_of(tau)), "b": seconds(edge_of(tau + TOLERATED_BUCKETS))}
            hint = _("Stable's answers over %(a)s, the canary's over %(b)s") % limits
            label = f"{QUANTILE_WORDS[name]} · {limits['a']}"
            rows.append(Row(label, rate_percent(sums.k_s, sums.n_s), rate_percent(sums.k_c, sums.n_c), hint))
    asks = _("Is it over 10 % slower? Shares above stable's own quantiles")
    waits = _("Compares once stable has given 1 000 answers in this stage.")
    return _card(Guardrail.LATENCY, _("Latency"), asks, seen, rows, waits)


def _agreement(rollout: Rollout, seen: Seen) -> Card:
    sums, pairs = seen.agreement, seen.pairs
    tolerated = rollout.options.get("tolerated_disagreement", 0.02)
    asks = _("Does it answer over %(share)s otherwise?") % {"share": rate_percent(tolerated, 1)}
    rows = [
        Row(_("mirrored"), number(round(sums.n_c)), ""),
        Row(_("otherwise"), number(sums.k_c), rate_percent(sums.k_c, sums.n_c)),
        Row(_("another class"), number(pairs.n_flips), rate_percent(pairs.n_flips, sums.n_c)),
        Row(_("dropped"), number(pairs.n_dropped), "", _("Left out while the machine was busy")),
    ]
    waits = _("Compares what mirrored requests are answered.")
    if seen.stage is not None and seen.stage.kind == RolloutStage.Kind.SHADOW:
        asks += " " + _("Errors and latency are compared from the first canary stage on.")
    return _card(Guardrail.AGREEMENT, _("Agreement"), asks, seen, rows, waits, (_("pairs"), _("share")))


def _outcomes(seen: Seen) -> Card:
    sums = seen.ledger.get(Guardrail.OUTCOMES, Sums())
    rows = [
        Row(_("judged"), number(round(sums.n_s)), number(round(sums.n_c))),
        Row(_("wrong"), number(sums.k_s), number(sums.k_c)),
        Row(_("rate"), rate_percent(sums.k_s, sums.n_s), rate_percent(sums.k_c, sums.n_c)),
    ]
    asks = _("Is it wrong more often, by the truth reported later?")
    return _card(Guardrail.OUTCOMES, _("Outcomes"), asks, seen, rows, _("Needs reported outcomes."))


def _card(
    key: str,
    title: str,
    asks: str,
    seen: Seen,
    rows: list[Row],
    waits: str,
    heads: tuple[str, str] | None = None,
) -> Card:
    marks = [Mark(look.at, look.ln_e[key]) for look in seen.looks if key in look.ln_e]
    ln_e = marks[-1].ln_e if marks else None
    sentence = waits if ln_e is None else margin_of(ln_e)
    return Card(key, title, asks, signal_of(ln_e), ln_e, marks, heads or ("stable", "canary"), rows, sentence)


def signal_of(ln_e: float | None) -> str:
    if ln_e is None:
        return "waiting"
    return "harm" if ln_e >= ROLL_BACK_LN else "holding" if ln_e >= HOLD_LN else "clear"


def margin_of(ln_e: float) -> str:
    """How far the evidence is from the next line."""
    if ln_e >= ROLL_BACK_LN:
        return _("E passed 400: the candidate is worse, with less than one chance in 400 of a false alarm.")
    if ln_e >= HOLD_LN:
        times = e_value(ROLL_BACK_LN - ln_e)
        return _("Goes on below 5; %(n)s times as much evidence rolls back.") % {"n": times}
    if ln_e <= 0:
        return _("Nothing speaks against the candidate.")
    return _("Holds at 10: that takes %(n)s times as much evidence.") % {"n": f"{exp(HOLD_LN - ln_e):.2g}"}
