"""Files that training scripts log: bytes in the artifact store, their names in the database."""

from __future__ import annotations

from collections.abc import Iterable
from typing import BinaryIO

from django.db import transaction
from django.db.models import Q, QuerySet
from django.utils.translation import gettext as _

from portal.lib.errors import InvalidInput, NotFound
from registry.access import policy
from registry.access.principal import Principal
from registry.artifacts.incoming import Incoming
from registry.models import LoggedFile, Project
from registry.services import audit
from registry.services.artifacts import artifact_store
from registry.services.quotas import check_quota, check_size, largest_upload

ACTION = "version.upload"


def put_file(principal: Principal, project_id: int, path: str, chunks: Iterable[bytes], size: int) -> LoggedFile:
    """Streams in constant memory; the file stands only when every byte is on disk. `size` is what the caller says.

    Raises NotAllowed, InvalidInput, and TooLarge before the first byte where `size` tells, else after the last one.
    """
    policy.require(principal, ACTION, project_id)
    _check_named(path)
    project = Project.objects.get(pk=project_id)
    check_size(project, size)
    _check_room(project, path, size)
    incoming = artifact_store().begin(limit=largest_upload(project))
    try:
        for chunk in chunks:
            incoming.write(chunk)
        incoming.finish()
        return _keep(principal, project_id, path, incoming)
    finally:
        incoming.discard()


def _keep(principal: Principal, project_id: int, path: str, incoming: Incoming) -> LoggedFile:
    """Looks again under the lock: only now the size is known for certain, and others came in between."""
    with transaction.atomic():
        project = Project.objects.select_for_update(no_key=True).get(pk=project_id)
        _check_room(project, path, incoming.size)
        blob = artifact_store().adopt(incoming)
        facts = {"sha256": blob.sha256, "size": blob.size, "created_by_id": principal.user_id}
        file, _made = LoggedFile.objects.update_or_create(project_id=project_id, path=path, defaults=facts)
    return file


def _check_room(project: Project, path: str, size: int) -> None:
    """Raises InvalidInput, and TooLarge; the file that this one takes the place of counts nothing."""
    parents = ["/".join(path.split("/")[:n]) for n in range(1, path.count("/") + 1)]
    taken = Q(path__in=parents) | Q(path__startswith=f"{path}/")
    if LoggedFile.objects.filter(taken, project=project).exists():
        raise InvalidInput(_("“%(path)s” would be a file and a folder at once.") % {"path": path[:100]})
    before = LoggedFile.objects.filter(project=project, path=path).values_list("size", flat=True).first() or 0
    if size > before:
        check_quota(project, size - before)


def _check_named(path: str) -> None:
    """The empty path is all that the project has: nobody means that."""
    if not path:
        raise InvalidInput(_("Name a file or a folder behind “artifacts/”."), details={"field": "path"})


def files_below(project_id: int, folder: str) -> QuerySet[LoggedFile]:
    rows = LoggedFile.objects.filter(project_id=project_id)
    return rows.filter(Q(path=folder) | Q(path__startswith=f"{folder}/")) if folder else rows


def open_file(project_id: int, path: str) -> tuple[LoggedFile, BinaryIO]:
    """Raises NotFound."""
    file = LoggedFile.objects.filter(project_id=project_id, path=path).first()
    if file is None:
        raise NotFound(_("There is no file “%(path)s”.") % {"path": path[:100]})
    return file, artifact_store().open(file.sha256)


def delete_files(principal: Principal, project_id: int, path: str) -> int:
    """A file, or a folder with all in it; the sweep frees the bytes. Says how many. Raises InvalidInput for no path."""
    policy.require(principal, ACTION, project_id)
    _check_named(path)
    with transaction.atomic():
        rows = list(files_below(project_id, path).select_for_update())
        for file in rows[:1]:
            details = {"path": path, "n_files": len(rows)}
            audit.record(principal, "logged_files.deleted", file, project_id=project_id, details=details)
        LoggedFile.objects.filter(pk__in=[file.pk for file in rows]).delete()
    return len(rows)
