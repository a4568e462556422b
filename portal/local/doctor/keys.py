"""Checks of the keys that seal and encrypt what the stores hold."""

from __future__ import annotations

import stat
from collections.abc import Iterator
from contextlib import suppress
from itertools import islice
from pathlib import Path
from typing import NamedTuple

from django.conf import settings
from django.db import DatabaseError

from portal.lib.errors import PortalError
from portal.local.doctor.finding import Finding, fail, ok, warn
from portal.local.paths import Layout
from registry.artifacts.encryption import read_header
from registry.services.artifacts import artifact_store, job_store
from registry.services.keys import BadKey, encryption_keys, signer, trusted_keys
from registry.services.resealing import unsealed

# So many files are looked at, not all of a large store.
_SAMPLE = 1000


class _File(NamedTuple):
    """`key` is the id of the key that it needs, None for a plain one; `problem` is why it could not be read."""

    path: Path
    key: bytes | None
    problem: str = ""


def signing_key(layout: Layout) -> Finding:
    try:
        n_trusted, current = len(trusted_keys()), signer().fingerprint
    except BadKey as error:
        return fail("Signing key", str(error))
    path = Path(settings.DATA_DIR) / "signing_key"
    if not settings.PORTAL_SIGNING_KEY_IS_GIVEN and stat.S_IMODE(path.stat().st_mode) & 0o077:
        return fail("Signing key", f"{path} can be read by others. Run: chmod 600 {path}")
    return ok("Signing key", f"{current[:16]}…; {n_trusted} trusted in all")


def encryption_key(layout: Layout) -> Finding:
    try:
        keys = encryption_keys()
    except BadKey as error:
        return fail("Encryption", str(error))
    found = list(_looked_at())
    if damaged := [file for file in found if file.problem]:
        first = f"{damaged[0].path}: {damaged[0].problem}"
        return fail("Encryption", f"{len(damaged)} of {len(found)} files cannot be read. The first is {first}")
    if n_lost := sum(1 for file in found if file.key is not None and not keys.knows(file.key)):
        return fail("Encryption", f"{n_lost} of {len(found)} files need a key that is not in PORTAL_ENCRYPTION_KEY.")
    if not keys:
        return ok("Encryption", "off: files lie in the stores as they are")
    if n_old := sum(1 for file in found if file.key != keys.current):
        mend = "Run: python3 manage.py rotate_encryption_key --encrypt-plain"
        return warn("Encryption", f"{n_old} of {len(found)} files lie plain or under a former key. {mend}")
    return ok("Encryption", f"all of {len(found)} files looked at are under the first of {len(keys)} keys")


def seals() -> Finding:
    """Needs the database."""
    try:
        n_open = unsealed().count()
    except DatabaseError as error:
        return fail("Seals", f"cannot be counted: {str(error).splitlines()[0]}")
    if not n_open:
        return ok("Seals", "every version has one")
    if settings.PORTAL_REQUIRE_SEALS:
        return fail("Seals", f"{n_open} versions have none and cannot be loaded. Run: python3 manage.py seal_versions")
    return warn("Seals", f"{n_open} versions have none. Run: python3 manage.py seal_versions")


def _looked_at() -> Iterator[_File]:
    """What was deleted meanwhile is left out."""
    stores = (artifact_store(), job_store())
    paths = (store.path(sha256) for store in stores for sha256 in store.digests())
    for path in islice(paths, _SAMPLE):
        with suppress(FileNotFoundError):
            yield _look_at(path)


def _look_at(path: Path) -> _File:
    """Raises FileNotFoundError."""
    try:
        with path.open("rb") as file:
            header = read_header(file)
    except FileNotFoundError:
        raise
    except (PortalError, OSError) as error:
        return _File(path, None, str(error))
    return _File(path, None if header is None else header.key_id)


CHECKS = (signing_key, encryption_key)
