"""Files that scripts log: what is refused, and that nothing is left of it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from threading import Barrier, Thread

import pytest
from django.db import connection

from portal.lib.errors import InvalidInput, NotAllowed, TooLarge
from registry.access.principal import SYSTEM
from registry.models import AuditEvent, LoggedFile, Project
from registry.services.artifacts import artifact_store
from registry.services.logged_files import delete_files, put_file
from tests import factories


@pytest.fixture
def project(db: None) -> Project:
    project = factories.make_project()
    project.quota_bytes = 10
    project.save()
    return project


def paths() -> list[str]:
    return list(LoggedFile.objects.values_list("path", flat=True))


def incoming() -> set[Path]:
    return set((artifact_store().root / "incoming").glob("*"))


def test_delete__folder__what_lies_in_it_and_is_recorded(project: Project) -> None:
    for path in ("a/b", "a/c/d", "ab"):
        put_file(SYSTEM, project.pk, path, [b"x"], 1)
    assert delete_files(SYSTEM, project.pk, "a") == 2
    assert paths() == ["ab"]
    assert AuditEvent.objects.get(action="logged_files.deleted").details == {"path": "a", "n_files": 2}
    assert delete_files(SYSTEM, project.pk, "nothing") == 0


def test_delete__no_path__refused_and_all_stays(project: Project) -> None:
    put_file(SYSTEM, project.pk, "a", [b"x"], 1)
    with pytest.raises(InvalidInput, match="Name a file or a folder"):
        delete_files(SYSTEM, project.pk, "")
    assert paths() == ["a"]


def test_put__more_than_was_said__over_the_quota_and_nothing_left(project: Project) -> None:
    store = artifact_store()
    before, coming = set(store.digests()), incoming()
    with pytest.raises(TooLarge) as refused:
        put_file(SYSTEM, project.pk, "a", [b"over", b"the", b"quota"], 0)
    assert (refused.value.code, refused.value.details["more_bytes"]) == ("over_quota", 12)
    assert (paths(), set(store.digests()) - before) == ([], set())
    assert incoming() == coming


def test_put__stream_that_breaks__leaves_what_was_there(project: Project) -> None:
    def broken() -> Iterator[bytes]:
        yield b"y"
        raise ConnectionResetError

    put_file(SYSTEM, project.pk, "a", [b"x"], 1)
    coming = incoming()
    with pytest.raises(ConnectionResetError):
        put_file(SYSTEM, project.pk, "a", broken(), 2)
    assert LoggedFile.objects.get().size == 1
    assert incoming() == coming


def test_files__viewer__may_neither_put_nor_delete(project: Project) -> None:
    put_file(SYSTEM, project.pk, "a", [b"x"], 1)
    bob = factories.principal("bob", "viewer")
    with pytest.raises(NotAllowed):
        put_file(bob, project.pk, "b", [b"x"], 1)
    with pytest.raises(NotAllowed):
        delete_files(bob, project.pk, "a")
    assert paths() == ["a"]


@pytest.mark.django_db(transaction=True)
def test_put__two_at_once_that_fit_alone__exactly_one_stands() -> None:
    project = factories.make_project()
    Project.objects.filter(pk=project.pk).update(quota_bytes=10)
    both_passed_the_first_look = Barrier(2)
    refused: list[str] = []

    def chunks() -> Iterator[bytes]:
        both_passed_the_first_look.wait(timeout=30)
        yield b"x" * 6

    def put(path: str) -> None:
        try:
            put_file(SYSTEM, project.pk, path, chunks(), 6)
        except TooLarge as error:
            refused.append(error.code)
        finally:
            connection.close()

    threads = [Thread(target=put, args=(path,)) for path in ("a", "b")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (len(paths()), refused) == (1, ["over_quota"])
