"""What the commands say to the person at the terminal. Standard library only: it also speaks before `.venv` exists."""

from __future__ import annotations

import sys
from collections.abc import Iterable


class CannotStart(Exception):
    """The command can't go on. The text is one or two plain sentences that say why and what to do."""


def say(text: str) -> None:
    """Progress goes to standard error, because standard output belongs to the command's own result."""
    print(text, file=sys.stderr, flush=True)


def box(lines: Iterable[str]) -> str:
    rows = list(lines)
    width = max(len(row) for row in rows)
    edge = "+" + "-" * (width + 4) + "+"
    return "\n".join([edge, *(f"|  {row:<{width}}  |" for row in rows), edge])


def tail(path: object, n_lines: int = 15) -> str:
    """The last lines of a log, or an empty text when there is none."""
    try:
        with open(str(path), encoding="utf-8", errors="replace") as log:
            return "".join(log.readlines()[-n_lines:]).rstrip()
    except OSError:
        return ""
