"""Counts to a verdict and a sentence."""

from __future__ import annotations

import pytest

from inference.replay.verdict import Counts, has_passed, sentence_of


@pytest.mark.parametrize(
    ("counts", "tolerated", "expected"),
    [
        (Counts(200, 0, 0), 0.0, True),
        (Counts(200, 4, 0), 0.02, True),
        (Counts(200, 5, 0), 0.02, False),
        (Counts(200, 1, 1), 0.02, False),
        (Counts(200, 200, 0), 1.0, True),
    ],
)
def test_has_passed__counts__at_most_the_tolerated_share_and_no_failure(
    counts: Counts, tolerated: float, expected: bool
) -> None:
    assert has_passed(counts, tolerated) is expected


def test_has_passed__difference_expected__only_failures_count() -> None:
    assert has_passed(Counts(10, 10, 0), 0.0, expects_difference=True)
    assert not has_passed(Counts(10, 10, 1), 0.0, expects_difference=True)


@pytest.mark.parametrize(
    ("counts", "sentence"),
    [
        (Counts(200, 0, 0), "Both versions answered alike: all of 200 requests."),
        (Counts(200, 3, 0), "197 of 200 requests were answered alike; 1.5 % differ, and 2 % may."),
        (Counts(200, 9, 0), "4.5 % of 200 requests were answered differently; only 2 % may be."),
        (Counts(200, 9, 3), "The candidate failed on 3 of 200 requests; it may fail on none."),
    ],
)
def test_sentence__counts__says_what_decided(counts: Counts, sentence: str) -> None:
    assert sentence_of(counts, 0.02).replace("\N{NARROW NO-BREAK SPACE}", " ") == sentence
