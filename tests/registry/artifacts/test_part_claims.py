"""Claims to the place of a part: one at a time, taken over for good, and harmless when they were swept."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from registry.artifacts.part_claims import Claim, claim, taken_over


@pytest.fixture
def place(tmp_path: Path) -> Path:
    return tmp_path / "upload-x-1"


def own(path: Path) -> Claim:
    found = claim(path)
    assert found is not None
    return found


def is_mine(found: Claim) -> bool:
    with found.held() as answer:
        return answer


def test_claim__second_caller__gets_none_until_the_first_has_ended(place: Path) -> None:
    first = own(place)
    assert (is_mine(first), claim(place)) == (True, None)
    first.release()
    assert not place.exists()
    own(place).release()


def test_claim__no_folder__none(tmp_path: Path) -> None:
    assert claim(tmp_path / "gone" / "upload-x-1") is None


def test_taken_over__for_good(place: Path) -> None:
    first = own(place)
    with taken_over(place):
        pass
    assert not is_mine(first)
    first.release()
    assert (place.stat().st_size, claim(place)) == (1, None)


def test_taken_over__nobody_has_a_claim__nobody_gets_one(place: Path) -> None:
    with taken_over(place):
        assert claim(place) is None
    assert claim(place) is None


def test_taken_over__while_a_piece_is_written__waits_for_that_piece_only(place: Path) -> None:
    first, over = own(place), threading.Event()

    def take() -> None:
        with taken_over(place):
            over.set()

    thread = threading.Thread(target=take)
    with first.held() as answer:
        thread.start()
        assert answer
        assert not over.wait(0.1)
    thread.join(10)
    assert (over.is_set(), is_mine(first)) == (True, False)
    first.release()


def test_taken_over__released_while_it_waits__takes_what_has_the_name_now(place: Path) -> None:
    first = own(place)
    thread = threading.Thread(target=lambda: taken_over(place).__enter__())
    with first.held():
        thread.start()
        thread.join(0.1)
        place.unlink()
        second = own(place)
    thread.join(10)
    assert (is_mine(second), place.stat().st_size) == (False, 1)


def test_claim__swept_while_it_is_used__no_longer_held_and_the_next_ones_stays(place: Path) -> None:
    first = own(place)
    place.unlink()
    second = own(place)
    assert (is_mine(first), is_mine(second)) == (False, True)
    first.release()
    assert place.exists()
    second.release()
