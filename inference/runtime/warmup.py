"""One made-up run after a load, so that the first caller does not wait for what only a first run does."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from time import monotonic
from typing import Any

from inference.runtime.session import ModelSession
from portal.lib.errors import PortalError
from registry.artifacts.feeds import GUESSES, Guess, InputSlot, feed, n_bytes

SECONDS = 1.0
MAX_BYTES = 64 << 20
MAX_FREE = max(guess.free for guess in GUESSES)
UNKNOWN = (Guess("zeros", 1), Guess("ones", 1))


def warm_up(session: ModelSession, facts: Mapping[str, Any]) -> bool:
    """True when a run went through. `facts` are the validation's: what it could not run is not run here either, nor
    what belongs into a process of its own. Never raises and takes a second at most, unless one node takes longer.
    """
    if not is_harmless(facts):
        return False
    deadline = monotonic() + SECONDS
    slots = session.slots()
    return any(_runs(session, slots, guess, deadline) for guess in guesses(facts.get("probe_inputs")))


def is_harmless(facts: Mapping[str, Any]) -> bool:
    """Validation has run it, and found no reason to run it in a process of its own."""
    return facts.get("probe") == "ok" and not facts.get("isolated", facts.get("risks"))


def guesses(accepted: Any) -> Iterator[Guess]:
    """The one that the validation saw accepted; older reports do not say which it was."""
    try:
        guess = Guess(accepted["values"], accepted["free"])
    except (KeyError, TypeError):
        yield from UNKNOWN
        return
    if guess.values in ("zeros", "ones", "random") and type(guess.free) is int and 0 <= guess.free <= MAX_FREE:
        yield guess


def _runs(session: ModelSession, slots: tuple[InputSlot, ...], guess: Guess, deadline: float) -> bool:
    try:
        if n_bytes(slots, guess, 1) > MAX_BYTES:
            return False
        session.run(feed(slots, guess, 1), deadline=deadline)
    except (PortalError, KeyError, MemoryError):
        # KeyError: bfloat16 is not made up.
        return False
    return True
