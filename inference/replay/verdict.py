"""What a replay's counts mean, in one sentence. Pure but for the words."""

from __future__ import annotations

from typing import NamedTuple

from django.utils.translation import gettext as _

from portal.lib.words import number, percent


class Counts(NamedTuple):
    """`n_failed` requests, on which the candidate had no sound answer, are among the `n_disagreed` ones."""

    n_requests: int
    n_disagreed: int
    n_failed: int

    @property
    def n_alike(self) -> int:
        return self.n_requests - self.n_disagreed


def has_passed(counts: Counts, tolerated: float, expects_difference: bool = False) -> bool:
    """`tolerated` is the share of requests that may be answered differently; none may fail."""
    is_close = expects_difference or counts.n_disagreed <= tolerated * counts.n_requests
    return counts.n_failed == 0 and is_close


def sentence_of(counts: Counts, tolerated: float, expects_difference: bool = False, note: str = "") -> str:
    """`note` says why it ended early, if it did."""
    first = _sentence(counts, tolerated, expects_difference)
    return f"{first} {note}" if note else first


def _sentence(counts: Counts, tolerated: float, expects_difference: bool) -> str:
    words = {"all": number(counts.n_requests), "alike": number(counts.n_alike), "failed": number(counts.n_failed)}
    words |= {"tolerated": percent(round(tolerated * 10_000)), "share": percent(_share_bp(counts))}
    if counts.n_failed:
        return _("The candidate failed on %(failed)s of %(all)s requests; it may fail on none.") % words
    if not counts.n_disagreed:
        return _("Both versions answered alike: all of %(all)s requests.") % words
    if expects_difference:
        return _("%(alike)s of %(all)s requests were answered alike; the rest was expected to differ.") % words
    if has_passed(counts, tolerated):
        return _("%(alike)s of %(all)s requests were answered alike; %(share)s differ, and %(tolerated)s may.") % words
    return _("%(share)s of %(all)s requests were answered differently; only %(tolerated)s may be.") % words


def _share_bp(counts: Counts) -> int:
    return round(10_000 * counts.n_disagreed / counts.n_requests) if counts.n_requests else 0


def nothing_to_compare(n_left_out: int) -> str:
    return _("None of %(n)s requests could be compared: the live version has no answer to them itself.") % {
        "n": number(n_left_out)
    }


def nothing_to_replay() -> str:
    return _(
        "Nothing to replay: no request of this endpoint was captured. "
        "Turn captures on in the endpoint's settings, or upload a file of requests."
    )
