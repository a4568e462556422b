"""How long a stage is going to take: what the form says before a rollout starts."""

from __future__ import annotations

from inference.analysis.eprocess import DifferenceProcess
from inference.analysis.guardrails import PROOF_LN

FOREVER = 10_000_000
N_BASIS_POINTS = 10_000


def requests_needed(delta: float, base_rate: float, n_min: int, weight_bp: int = 2_500) -> int:
    """Canary requests until the stage's certificate is expected to reach 20, if both arms fail at `base_rate`.

    At least `n_min`, at most ten million, which stands for "not in any reasonable time".
    """
    low, high = 0, FOREVER
    while high - low > 1:
        middle = (low + high) // 2
        if _expected_ln_e(delta, base_rate, middle, weight_bp) < PROOF_LN:
            low = middle
        else:
            high = middle
    return max(n_min, high)


def _expected_ln_e(delta: float, base_rate: float, n_canary: int, weight_bp: int) -> float:
    """ln E if errors arrive exactly as often as expected."""
    n_stable = n_canary * (N_BASIS_POINTS - weight_bp) / weight_bp
    process = DifferenceProcess(delta)
    process.add(n_canary, n_stable, n_canary * base_rate, n_stable * base_rate)
    return process.ln_e


def seconds_needed(
    n_requests: int, requests_per_second: float, weight_bp: int, bake_seconds: float = 0.0
) -> float | None:
    """Seconds until the canary has had `n_requests` at this weight, and the bake time is over; None without traffic."""
    per_second = requests_per_second * weight_bp / N_BASIS_POINTS
    return max(bake_seconds, n_requests / per_second) if per_second > 0 else None
