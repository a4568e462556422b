"""Who uses a version. The registry knows its aliases; whoever serves versions answers for the rest.

`PORTAL_VERSION_USERS` names functions `f(version_ids, model_ids, *, hold)` that give `Use` rows, so that the registry
imports nobody who stands above it. With `hold`, inside a transaction, a function also takes the lock without which
nobody can begin to use a version: what it says stays true until the transaction ends.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from datetime import datetime
from typing import NamedTuple

from django.conf import settings
from django.utils.module_loading import import_string
from django.utils.translation import gettext as _

from portal.lib.errors import Conflict
from registry.models import ModelAlias, ModelVersion, VersionStatus

MOST_NAMED = 10


class Use(NamedTuple):
    """`version_id` is None where the whole model is used. `sentence` says who it is and what to do about it.

    `kind` is a word for programs: endpoint, previous, shadow, warm, loading, callers, rollout, experiment, job, replay
    or alias. `is_live` where it may answer callers at this moment.
    """

    version_id: int | None
    kind: str
    name: str
    is_live: bool
    sentence: str


def users_of(version_ids: Collection[int], model_ids: Collection[int] = (), *, hold: bool = False) -> list[Use]:
    """Everybody outside the registry, in the order in which they were asked."""
    asked: list[Callable[..., list[Use]]] = [import_string(path) for path in settings.PORTAL_VERSION_USERS]
    return [use for ask in asked for use in ask(version_ids, model_ids, hold=hold)]


def last_used(version_ids: Collection[int]) -> dict[int, datetime]:
    """When each was last used, as far as anybody knows; versions that never were are missing."""
    asked: list[Callable[..., dict[int, datetime]]] = [
        import_string(path) for path in settings.PORTAL_VERSION_LAST_USED
    ]
    found: dict[int, datetime] = {}
    for ask in asked:
        for version_id, at in ask(version_ids).items():
            found[version_id] = max(at, found.get(version_id, at))
    return found


def aliases_of(version_ids: Collection[int]) -> list[Use]:
    rows = ModelAlias.objects.filter(version__in=version_ids).order_by("name")
    sentence = _("alias “%(name)s” names it: set the alias to another version or remove it")
    return [Use(row.version_id, "alias", row.name, False, sentence % {"name": row.name}) for row in rows]


# Kinds of which `name` is an endpoint's slug.
AT_ENDPOINTS = ("endpoint", "previous", "shadow", "warm", "callers")


def worth_telling(uses: Iterable[Use]) -> list[Use]:
    """Each once, and of one endpoint only what has to be done first.

    An endpoint that has to be deleted takes with it whatever it does with versions, and one that serves a version can
    roll back to it only after it has moved on.
    """
    named = list(dict.fromkeys(uses))
    addresses = {use.name for use in named if use.kind == "endpoint" and use.version_id is None}
    serving = {(use.name, use.version_id) for use in named if use.kind == "endpoint"}
    return [use for use in named if not _is_covered(use, addresses, serving)]


def _is_covered(use: Use, addresses: set[str], serving: set[tuple[str, int | None]]) -> bool:
    if use.version_id is not None and use.kind in AT_ENDPOINTS and use.name in addresses:
        return True
    return use.kind == "previous" and (use.name, use.version_id) in serving


def refuse_used(uses: Iterable[Use], subject: str) -> None:
    """Raises Conflict (`in_use`) that names who uses `subject` and what to do, unless nobody does."""
    named = worth_telling(uses)
    if not named:
        return
    said = list(dict.fromkeys(use.sentence for use in named))[:MOST_NAMED]
    raise Conflict(
        _("%(subject)s is in use: %(users)s.") % {"subject": subject, "users": "; ".join(said)},
        code="in_use",
        details={"used_by": [{"kind": use.kind, "name": use.name, "live": use.is_live} for use in named[:MOST_NAMED]]},
    )


def hold_ready(version: ModelVersion) -> None:
    """Inside the transaction that begins to use it: nobody takes the version away until that ends.

    Raises Conflict (`version_not_ready`) where somebody has just archived or deleted it.
    """
    locked = ModelVersion.objects.select_for_update(no_key=True).filter(pk=version.pk).first()
    if locked is None or locked.deleted_at is not None or locked.status != VersionStatus.READY:
        raise Conflict(
            _("Version %(n)s was taken away a moment ago: choose one that is ready.") % {"n": version.number},
            code="version_not_ready",
            details={"version": version.number},
        )
