"""`manage.py sweep_artifacts [--dry-run]`: frees the bytes that nothing refers to, and names rows without bytes."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from portal.lib.words import size
from registry.services.sweeping import GRACE_SECONDS, sweep


class Command(BaseCommand):
    help = "Free the bytes of models that nothing refers to any more, and name rows whose bytes are gone."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--dry-run", action="store_true", help="only say what would be freed")
        parser.add_argument(
            "--grace", type=float, default=GRACE_SECONDS, help="spare what came within so many seconds; default: 3600"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        found = sweep(dry_run=options["dry_run"], grace_seconds=options["grace"])
        self.stdout.write(f"{found.n_blobs} files, {size(found.n_bytes)}.")
        for blob in found.orphans:
            self.stdout.write(f"orphan  {blob.sha256}  {size(blob.size)}")
        for row in found.missing:
            self.stdout.write(f"missing  {row.sha256}  {row.kind} {row.name}")
        verb = "would be freed" if options["dry_run"] else "freed"
        self.stdout.write(
            f"{len(found.orphans)} orphans, {size(found.freed_bytes)} {verb}; {found.n_young} more are too young; "
            f"{len(found.missing)} missing."
        )
