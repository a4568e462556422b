"""What can be wrong with a file, and with one row of it."""

from __future__ import annotations

from typing import NamedTuple


class BadFile(Exception):
    """The whole file cannot be scored: the job ends as failed, with this code and sentence."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


class BadValue(Exception):
    """One value does not fit. `column` is filled in where it is known."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


class BadRow(NamedTuple):
    """`row` counts from 0 within the chunk, `line` from 1 within the file."""

    row: int
    line: int
    code: str
    reason: str


def shown(text: object, limit: int = 40) -> str:
    """A value from outside, short and printable enough to stand in a sentence."""
    shortened = str(text)
    return repr(shortened if len(shortened) <= limit else shortened[: limit - 1] + "…")
