from __future__ import annotations

from portal.local.backoff import Backoff


def test_backoff__keeps_dying__doubles_up_to_thirty_seconds() -> None:
    backoff = Backoff()
    assert [backoff.delay_after(0.1) for _ in range(9)] == [0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 30.0, 30.0, 30.0]


def test_backoff__lived_a_minute__counts_afresh() -> None:
    backoff = Backoff()
    for _ in range(5):
        backoff.delay_after(59.9)
    assert backoff.delay_after(60.0) == 0.5
    assert backoff.delay_after(1.0) == 1.0


def test_backoff__thousands_of_deaths__stays_at_the_bound() -> None:
    backoff = Backoff()
    assert {backoff.delay_after(0.0) for _ in range(3000)} >= {30.0}
    assert backoff.delay_after(0.0) == 30.0
