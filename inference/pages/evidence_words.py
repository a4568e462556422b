"""Evidence and rates as text, the same in sentences, cards and charts."""

from __future__ import annotations

from math import exp, log

from portal.lib.words import NARROW, number

# Above it the exact number says nothing more.
MOST_SHOWN = 1_000_000


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


def rate_percent(n_bad: float, n: float) -> str:
    """0.12 %, 3.4 %; a dash where nothing was counted."""
    if not n:
        return "–"
    value = 100 * n_bad / n
    return f"{value:.2f}{NARROW}%" if value < 1 else f"{value:.1f}{NARROW}%"


def e_is(ln_e: float | None) -> str:
    """= 0.31, > 1 000 000: what stands after the letter E."""
    text = e_value(ln_e)
    return text if text[0] in "<>" else f"= {text}"


def proof_words(ln_e: float) -> str:
    """How far a certificate has come, as E from 1 to 20; 20 is enough."""
    return f"{min(20.0, max(1.0, exp(min(ln_e, 9.0)))):.2g}"


def clock(value: float) -> str:
    """Seconds as 4:12, hours as 1:04:12."""
    whole = max(0, int(value))
    hours, minutes, rest = whole // 3600, whole // 60 % 60, whole % 60
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"
