"""How a model's process ended, from its exit status and from what was done to it."""

from __future__ import annotations

import signal
from typing import Literal, NamedTuple

# The status with which the process ends itself when it finds no memory.
EXIT_MEMORY = 2
Blame = Literal["", "hung", "odd", "stopped"]


class Ending(NamedTuple):
    """`cause` is None where the model is not to blame; `signal` is its name or empty."""

    cause: Literal["crashed", "out_of_memory", "hung"] | None
    signal: str = ""


def judge(code: int, blame: Blame) -> Ending:
    """`code` as in `subprocess.Popen.returncode`, `blame` why we killed it, if we did.

    A SIGKILL that we did not send is taken for the kernel's, which sends it when the machine runs out of memory.
    """
    if blame == "stopped":
        return Ending(None)
    if blame:
        return Ending("hung" if blame == "hung" else "crashed")
    if code == EXIT_MEMORY:
        return Ending("out_of_memory")
    if code == -signal.SIGKILL:
        return Ending("out_of_memory", "SIGKILL")
    return Ending("crashed", _name(-code) if code < 0 else "")


def _name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
