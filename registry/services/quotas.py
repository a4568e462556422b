"""How much a project may keep, and how large one file may be."""

from __future__ import annotations

from django.conf import settings
from django.db.models import Sum
from django.utils.translation import gettext as _

from portal.lib.errors import TooLarge
from portal.lib.words import size as in_words
from registry.models import LoggedFile, ModelVersion, Project, Upload, UploadState


def kept_bytes(project: Project) -> int:
    """What versions, unused uploads and logged files take together; the same bytes in two of them count twice."""
    versions = ModelVersion.objects.filter(model__project=project, deleted_at=None)
    waiting = Upload.objects.filter(project=project, state__in=[UploadState.OPEN, UploadState.COMPLETE])
    logged = LoggedFile.objects.filter(project=project)
    return sum(rows.aggregate(total=Sum("size"))["total"] or 0 for rows in (versions, waiting, logged))


def hold_project(project_id: int) -> Project:
    """Inside a transaction: until it ends nobody else adds to the project, so that what `check_quota` says stays true.

    Two that fit alone need not fit together. Taken before the record's lock (`registry/services/audit.py`), and not
    against those who only refer to the project.
    """
    return Project.objects.select_for_update(no_key=True).get(pk=project_id)


def check_quota(project: Project, more_bytes: int) -> None:
    """Raises TooLarge (413) when `more_bytes` on top of what the project keeps is over its quota."""
    if project.quota_bytes is None:
        return
    kept = kept_bytes(project)
    if kept + more_bytes <= project.quota_bytes:
        return
    numbers = {"kept_bytes": kept, "more_bytes": more_bytes, "quota_bytes": project.quota_bytes}
    raise TooLarge(
        _(
            "Project “%(project)s” keeps %(kept)s of its quota of %(quota)s, and this would add %(more)s: delete what "
            "nobody needs, or ask an administrator for a larger quota."
        )
        % {
            "project": project.slug,
            "kept": in_words(kept),
            "quota": in_words(project.quota_bytes),
            "more": in_words(more_bytes),
        },
        code="over_quota",
        details=numbers,
    )


def largest_upload(project: Project) -> int:
    """Bytes that one file may have."""
    own = project.max_upload_bytes
    return int(settings.PORTAL_MAX_UPLOAD_BYTES if own is None else min(own, settings.PORTAL_MAX_UPLOAD_BYTES))


def check_size(project: Project, n_bytes: int) -> None:
    """Raises TooLarge (413) for a file larger than the project takes."""
    limit = largest_upload(project)
    if n_bytes > limit:
        raise TooLarge(
            _("The file has %(size)s, and project “%(project)s” takes at most %(limit)s.")
            % {"size": in_words(n_bytes), "project": project.slug, "limit": in_words(limit)},
            details={"limit_bytes": limit, "size": n_bytes},
        )
