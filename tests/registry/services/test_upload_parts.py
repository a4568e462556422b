"""Parts of an upload: any order, any number of callers, other bytes refused."""

from __future__ import annotations

from functools import partial

import pytest

from registry.access.principal import SYSTEM
from registry.models import Upload, UploadPart
from registry.services.upload_parts import put_part
from registry.services.uploads import complete, file_of
from tests.registry.services.upload_steps import (
    AT_ONCE,
    DATA,
    PART,
    at_once,
    finished,
    in_threads,
    no_file_beyond,
    piece,
    put,
    refused,
    sha,
    started,
)

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("no_stray_files")]


@in_threads
def test_upload__all_parts_in_parallel__none_mixed() -> None:
    data = b"".join(bytes([number]) * PART for number in range(AT_ONCE))
    upload = started(data)
    answers = at_once(lambda number: put(Upload.objects.get(pk=upload.pk), number + 1, piece(number + 1, data)).number)
    assert answers == [str(number) for number in range(1, AT_ONCE + 1)]
    assert complete(SYSTEM, upload).digest == sha(data)


def test_part__same_bytes_again__nothing_read_nothing_changed() -> None:
    upload = started()
    first = put(upload, 1)

    def never(_size: int) -> bytes:
        raise AssertionError("was read")

    again = put_part(SYSTEM, upload, 1, never, PART, sha(piece(1)))
    assert (again.pk, again.received_at) == (first.pk, first.received_at)
    assert put(upload, 1, sha256="").pk == first.pk
    assert UploadPart.objects.filter(upload=upload).count() == 1


@pytest.mark.parametrize("announced", [True, False])
def test_part__other_bytes__refused_and_the_first_kept(announced: bool) -> None:
    upload = started()
    put(upload, 1)
    other = b"x" * PART
    digest = sha(other) if announced else ""
    assert refused(lambda: put(upload, 1, other, sha256=digest)) == "part_differs"
    assert UploadPart.objects.get(upload=upload).sha256 == sha(piece(1))
    assert file_of(upload).path.read_bytes()[:PART] == piece(1)


@in_threads
def test_part__other_bytes_at_once__one_stands_whole_and_the_rest_are_told() -> None:
    upload = started()
    answers = at_once(lambda number: put(Upload.objects.get(pk=upload.pk), 1, bytes([65 + number]) * PART).sha256)
    assert answers.count("part_differs") == AT_ONCE - 1
    (won,) = [answer for answer in answers if answer != "part_differs"]
    assert sha(file_of(upload).path.read_bytes()[:PART]) == won
    assert UploadPart.objects.get(upload=upload).sha256 == won


@in_threads
def test_part__same_bytes_at_once__all_told_that_it_is_there() -> None:
    upload = started()
    answers = at_once(lambda _number: put(Upload.objects.get(pk=upload.pk), 1).sha256)
    assert answers == [sha(piece(1))] * AT_ONCE
    assert UploadPart.objects.filter(upload=upload).count() == 1


def test_part__lying_digest__refused_and_the_true_part_takes_the_place() -> None:
    upload = started()
    assert refused(lambda: put(upload, 1, b"x" * PART, sha256="0" * 64)) == "digest_mismatch"
    assert UploadPart.objects.count() == 0
    assert put(upload, 1).sha256 == sha(piece(1))
    assert file_of(upload).path.read_bytes()[:PART] == piece(1)


@pytest.mark.parametrize("length", [None, 0, PART - 1, PART + 1])
def test_part__other_size_announced__refused_unread(length: int | None) -> None:
    upload = started()

    def never(_size: int) -> bytes:
        raise AssertionError("was read")

    assert refused(lambda: put_part(SYSTEM, upload, 1, never, length, "")) == "part_size"


def test_part__ends_early__refused_and_nothing_kept() -> None:
    upload = started()
    assert refused(lambda: put(upload, 1, b"x" * 10, length=PART)) == "part_size"
    assert UploadPart.objects.count() == 0


def test_part__longer_than_announced__only_its_own_place_is_written() -> None:
    upload = started()
    put(upload, 2)
    put(upload, 1, piece(1) + b"more", length=PART, sha256=sha(piece(1)))
    assert file_of(upload).path.read_bytes()[: 2 * PART] == DATA[: 2 * PART]


def test_part__caller_breaks_off__nothing_kept_and_sent_again() -> None:
    upload = started()
    sent = iter([piece(1)[:1000]])

    def gone(_size: int) -> bytes:
        for chunk in sent:
            return chunk
        raise ConnectionResetError("gone")

    with pytest.raises(ConnectionResetError):
        put_part(SYSTEM, upload, 1, gone, PART, sha(piece(1)))
    assert UploadPart.objects.count() == 0
    assert put(upload, 1).size == PART


@pytest.mark.parametrize("number", [0, 5, 2**31 - 1])
def test_part__number_outside__refused(number: int) -> None:
    assert refused(lambda: put(started(), number, b"x")) == "part_number"


def test_part__disk_full__503_then_goes_on() -> None:
    upload = started()
    with no_file_beyond(PART // 2):
        codes = [refused(partial(put, upload, number)) for number in (1, 3)]
    assert codes == ["storage_full", "storage_full"]
    assert UploadPart.objects.count() == 0
    for number in (1, 2, 3, 4):
        put(upload, number)
    assert complete(SYSTEM, upload).digest == sha(DATA)


def test_place__disk_full_at_the_last_step__no_row() -> None:
    """The part itself fits, and its place far behind does not."""
    upload = started()
    with no_file_beyond(PART + 1):
        assert refused(lambda: put(upload, 3)) == "storage_full"
    assert UploadPart.objects.count() == 0
    assert put(upload, 3).number == 3


def test_part__of_a_complete_upload__same_is_fine() -> None:
    upload = finished()
    assert put(upload, 1).number == 1
    assert refused(lambda: put(upload, 1, b"x" * PART)) == "part_differs"
