"""`manage.py rotate_encryption_key`: wraps every file's own key with the first of PORTAL_ENCRYPTION_KEY."""

from __future__ import annotations

from collections import Counter
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import transaction

from portal.lib.errors import PortalError
from registry.access.principal import SYSTEM
from registry.artifacts.encryption import rewrap
from registry.artifacts.store import ArtifactStore
from registry.services import audit
from registry.services.artifacts import artifact_store, job_store
from registry.services.keys import encryption_keys


class Keys:
    """What the audit event is about."""

    pk = 0

    def __str__(self) -> str:
        return "the keys of the stores"


class Command(BaseCommand):
    help = "Give every encrypted file the first key of PORTAL_ENCRYPTION_KEY. Only headers are written."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--encrypt-plain", action="store_true", help="encrypt files that lie plain as well")

    def handle(self, *args: Any, **options: Any) -> None:
        if not encryption_keys():
            raise CommandError("PORTAL_ENCRYPTION_KEY is not set: nothing is to be encrypted.")
        counts: Counter[str] = Counter()
        for store in (artifact_store(), job_store()):
            for sha256 in list(store.digests()):
                counts[self._one(store, sha256, encrypt_plain=options["encrypt_plain"])] += 1
        with transaction.atomic():
            audit.record(SYSTEM, "encryption_key.rotated", Keys(), details=dict(counts))
        names = ("rewrapped", "current", "encrypted", "plain", "failed")
        self.stdout.write(", ".join(f"{counts[name]} {name}" for name in names))
        if counts["failed"]:
            raise CommandError("Keep the former keys in PORTAL_ENCRYPTION_KEY until no file fails.")

    def _one(self, store: ArtifactStore, sha256: str, *, encrypt_plain: bool) -> str:
        try:
            found = rewrap(store.path(sha256), sha256, store.keys)
            return "encrypted" if found == "plain" and encrypt_plain and store.encrypt(sha256) else found
        except FileNotFoundError:
            return "current"  # It was deleted meanwhile.
        except PortalError as error:
            self.stderr.write(f"{sha256}: {error.message}")
            return "failed"
