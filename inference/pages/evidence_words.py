"""Evidence and rates as text, the same in sentences, cards and charts."""

from __future__ import annotations

from math import exp

from portal.lib.words import NARROW


def rate_percent(n_bad: float, n: float) -> str:
    """0.12 %, 3.4 %; a dash where nothing was counted."""
    if not n:
        return "–"
    value = 100 * n_bad / n
    return f"{value:.2f}{NARROW}%" if value < 1 else f"{value:.1f}{NARROW}%"


def proof_words(ln_e: float) -> str:
    """How far a certificate has come, as E from 1 to 20; 20 is enough."""
    return f"{min(20.0, max(1.0, exp(min(ln_e, 9.0)))):.2g}"


def clock(value: float) -> str:
    """Seconds as 4:12, hours as 1:04:12."""
    whole = max(0, int(value))
    hours, minutes, rest = whole // 3600, whole // 60 % 60, whole % 60
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"
