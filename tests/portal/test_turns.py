from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from threading import Event, Thread

import pytest

from portal import turns
from portal.turns import Turn


@contextmanager
def somebody_elses() -> Iterator[Event]:
    """A turn in another thread, which lasts until the event is set."""
    begun, over = Event(), Event()

    def hold() -> None:
        with Turn().taken():
            begun.set()
            over.wait()

    thread = Thread(target=hold)
    thread.start()
    begun.wait()
    yield over
    over.set()
    thread.join()


def is_free() -> bool:
    free = turns._free.acquire(blocking=False)
    if free:
        turns._free.release()
    return free


def test_taken__by_another__goes_on_after_a_while_and_leaves_him_his() -> None:
    with somebody_elses() as over:
        with Turn().taken():
            assert not is_free()
        assert not is_free()
        over.set()
    assert is_free()


def test_taken__page_that_fails__gives_its_turn_back() -> None:
    with pytest.raises(ZeroDivisionError), Turn().taken():
        raise ZeroDivisionError
    assert is_free()


def test_aside__while_it_waits__free_for_others_and_its_own_afterwards() -> None:
    turn = Turn()
    with turn.taken():
        with turn.aside():
            assert is_free()
        assert not is_free()
    assert is_free()


def test_aside__without_a_turn__takes_none() -> None:
    with Turn().aside():
        pass
    assert is_free()
