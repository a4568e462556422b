"""What became of one try."""

from __future__ import annotations

from typing import NamedTuple


class Outcome(NamedTuple):
    """`status` is HTTP's, None where no answer came; a final failure is not tried again."""

    is_delivered: bool
    status: int | None = None
    error: str = ""
    is_final: bool = False


DELIVERED = Outcome(True)


def hopeless(error: str) -> Outcome:
    return Outcome(False, error=error, is_final=True)
