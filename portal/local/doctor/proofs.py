"""Check that every version which serves is what was registered: seal, list of files and every byte."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from time import monotonic
from typing import NamedTuple

from django.db import DatabaseError
from django.db.models import Q

from inference.models import Endpoint, TrafficShare
from portal.lib.errors import PortalError
from portal.local.doctor.finding import Finding, fail, ok, warn
from registry.access.principal import SYSTEM
from registry.models import ModelVersion
from registry.services.archives import artifact_of, subject_of
from registry.services.artifacts import require_seal
from registry.services.downloads import proven
from registry.services.refusals import record
from registry.services.tampering import finding_of, settle
from registry.trust_selectors import refused_versions

_SUBJECT = "Served versions"
# A disk gives some gigabytes in that time. The seals alone take a moment and are all looked at.
PROOF_SECONDS = 20.0
RECORD_SECONDS = 2.0
_MOST_NAMED = 5


class Proofs(NamedTuple):
    """`n_left`: their seals hold, but there was no time for their bytes."""

    n_proven: int
    n_left: int
    wrong: list[str]


def served_versions(seconds: float = PROOF_SECONDS) -> Finding:
    """Needs the database. Whatever fits again is taken off the list of what is refused."""
    try:
        found = _prove(list(_versions()), monotonic() + seconds)
    except DatabaseError as error:
        return fail(_SUBJECT, f"cannot be read: {str(error).splitlines()[0]}")
    finally:
        settle(RECORD_SECONDS)
    if found.wrong:
        more = f" and {len(found.wrong) - _MOST_NAMED} more" if len(found.wrong) > _MOST_NAMED else ""
        named = "; ".join(found.wrong[:_MOST_NAMED])
        return fail(_SUBJECT, f"{named}{more}. Put rows and files back from a backup, or upload them again.")
    if found.n_left:
        text = f"all seals hold; {found.n_proven} were read in full, {found.n_left} not within {seconds:g} s"
        return warn(_SUBJECT, text)
    if not found.n_proven:
        return ok(_SUBJECT, "no endpoint has any")
    return ok(_SUBJECT, f"{found.n_proven} are what was registered, byte by byte")


def _versions() -> Iterator[ModelVersion]:
    """Those that are refused already, then all that answer, are mirrored to, or are kept to go back to."""
    known = [item.version for item in refused_versions(SYSTEM)]
    yield from known
    living = Endpoint.objects.filter(deleted_at=None)
    shares = TrafficShare.objects.filter(split__in=living.values("live_split"))
    asked = Q(pk__in=shares.values("variant__version")) | Q(pk__in=living.values("warm_version"))
    asked |= Q(pk__in=living.values("live_split__shadow_version"))
    rows = ModelVersion.objects.filter(asked, deleted_at=None).exclude(pk__in=[version.pk for version in known])
    yield from rows.select_related("model").order_by("size", "pk")


def _prove(versions: Iterable[ModelVersion], until: float) -> Proofs:
    n_proven, n_left, wrong = 0, 0, []
    for version in versions:
        try:
            was_read = _read(version, until)
        except PortalError as error:
            wrong.append(f"{version}: {error.code}")
            continue
        n_proven, n_left = n_proven + was_read, n_left + (not was_read)
    return Proofs(n_proven, n_left, wrong)


def _read(version: ModelVersion, until: float) -> bool:
    """False where the time was over. Raises what loading it would raise."""
    artifact = artifact_of(version)
    require_seal(artifact)
    for sha256 in artifact.digests:
        for _piece in proven(artifact, sha256):
            if monotonic() > until:
                return False
    record(finding_of(artifact, subject_of(version), ""))
    return True
