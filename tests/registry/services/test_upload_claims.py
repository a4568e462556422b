"""A part whose first caller dawdles, lies or dies while others bring it too: nobody waits, and nothing is mixed."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager

import pytest
from django.db import connection, transaction

from portal.lib.errors import PortalError
from registry.access.principal import SYSTEM
from registry.artifacts.part_claims import taken_over
from registry.models import Upload, UploadPart
from registry.services.upload_parts import put_part
from registry.services.uploads import abort, complete, file_of
from tests.registry.services.upload_steps import DATA, PART, in_threads, piece, put, refused, sha, started

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("no_stray_files")]
HALF = PART // 2
OTHER = b"o" * PART


class Dawdler:
    """A caller who has sent half of a part and sends the rest when he is let."""

    def __init__(self, data: bytes) -> None:
        self._pieces = iter([data[:HALF], data[HALF:]])
        self.is_half_way, self.may_go_on = threading.Event(), threading.Event()
        self._n_asked = 0

    def read(self, _size: int) -> bytes:
        self._n_asked += 1
        if self._n_asked == 2:
            self.is_half_way.set()
            assert self.may_go_on.wait(20)
        return next(self._pieces, b"")


@contextmanager
def dawdling(upload: Upload, data: bytes) -> Iterator[Callable[[], str]]:
    """While somebody sends part 1. What is yielded lets him go on, and gives his digest or the code he got."""
    caller = Dawdler(data)

    def send() -> str:
        try:
            return put_part(SYSTEM, upload, 1, caller.read, PART, "").sha256
        except PortalError as error:
            return error.code
        finally:
            connection.close()

    def end(sent: Future[str]) -> str:
        caller.may_go_on.set()
        return sent.result(20)

    with ThreadPoolExecutor(1) as pool:
        sent = pool.submit(send)
        try:
            assert caller.is_half_way.wait(20)
            yield lambda: end(sent)
        finally:
            caller.may_go_on.set()


def beside(upload: Upload) -> list[str]:
    """What lies beside the upload's file."""
    path = file_of(upload).path
    return sorted(found.name.removeprefix(path.name) for found in path.parent.glob(f"{path.name}-*"))


@in_threads
def test_part__first_caller__written_straight_to_its_place() -> None:
    upload = started()
    with dawdling(upload, piece(1)) as let_go_on:
        assert file_of(upload).path.read_bytes()[:PART] == piece(1)[:HALF] + bytes(HALF)
        assert (beside(upload), UploadPart.objects.count()) == (["-1"], 0)
        assert let_go_on() == sha(piece(1))
    assert file_of(upload).path.read_bytes()[:PART] == piece(1)
    assert beside(upload) == []


@in_threads
def test_part__second_caller_while_the_first_dawdles__does_not_wait_and_stands() -> None:
    upload = started()
    with dawdling(upload, OTHER) as let_go_on:
        assert put(upload, 1).sha256 == sha(piece(1))
        assert let_go_on() == "part_differs"
    assert file_of(upload).path.read_bytes()[:PART] == piece(1)
    for number in (2, 3, 4):
        put(upload, number)
    assert complete(SYSTEM, upload).digest == sha(DATA)
    assert beside(upload) == []


@in_threads
def test_part__same_bytes_while_the_first_dawdles__both_are_told_that_it_is_there() -> None:
    upload = started()
    with dawdling(upload, piece(1)) as let_go_on:
        assert put(upload, 1).sha256 == sha(piece(1))
        assert let_go_on() == sha(piece(1))
    assert UploadPart.objects.count() == 1


@in_threads
def test_part__completed_while_the_first_dawdles__the_stored_file_stays_as_it_is() -> None:
    upload = started()
    with dawdling(upload, OTHER) as let_go_on:
        for number in (1, 2, 3, 4):
            put(upload, number)
        stored = complete(SYSTEM, upload)
        assert let_go_on() == "part_differs"
    assert complete(SYSTEM, stored).digest == sha(DATA)
    assert beside(upload) == []


@in_threads
def test_part__given_up_while_it_comes__refused_and_nothing_left() -> None:
    upload = started()
    with dawdling(upload, piece(1)) as let_go_on:
        abort(SYSTEM, upload)
        assert let_go_on() == "upload_closed"
    assert (file_of(upload).path.exists(), beside(upload), UploadPart.objects.count()) == (False, [], 0)


@in_threads
def test_part__taken_over_by_one_who_did_not_end__told_to_send_again() -> None:
    upload = started()
    claim = file_of(upload).path.with_name(f"{file_of(upload).path.name}-1")
    with dawdling(upload, piece(1)) as let_go_on:
        with taken_over(claim):
            pass
        assert let_go_on() == "part_contended"
    assert UploadPart.objects.count() == 0
    assert put(upload, 1).sha256 == sha(piece(1))
    assert file_of(upload).path.read_bytes()[:PART] == piece(1)


def test_part__claim_of_a_dead_process__taken_all_the_same_and_gone_in_the_end() -> None:
    upload = started()
    file_of(upload).path.with_name(f"{file_of(upload).path.name}-1").touch()
    for number in (1, 2, 3, 4):
        put(upload, number)
    assert beside(upload) == ["-1"]
    assert complete(SYSTEM, upload).digest == sha(DATA)
    assert beside(upload) == []


def test_part__known_and_sent_without_a_digest__compared_and_never_written() -> None:
    upload = started()
    put(upload, 1)
    assert refused(lambda: put(upload, 1, OTHER, sha256="")) == "part_differs"
    assert file_of(upload).path.read_bytes()[:PART] == piece(1)
    assert beside(upload) == []


def test_part__its_row_does_not_come_to_stand__sent_again_by_others_with_other_bytes() -> None:
    upload = started()
    with transaction.atomic():
        put(upload, 1, OTHER)
        transaction.set_rollback(True)
    assert UploadPart.objects.count() == 0
    assert put(upload, 1).sha256 == sha(piece(1))
    assert file_of(upload).path.read_bytes()[:PART] == piece(1)
