"""`manage.py seal_versions`: seals versions from before there were seals, after reading every byte of them."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError

from registry.services.resealing import require_from_now_on, seal_version, unsealed


class Command(BaseCommand):
    help = "Seal versions that have no seal yet. Run it once, when you trust what lies in the store."

    def handle(self, *args: Any, **options: Any) -> None:
        n_sealed = n_failed = 0
        for version in unsealed().iterator(chunk_size=100):
            done = seal_version(version)
            n_sealed += not done.problem
            n_failed += bool(done.problem)
            if done.problem:
                self.stderr.write(f"{done.version}: {done.problem}")
        self.stdout.write(f"{n_sealed} versions sealed.")
        if n_failed:
            raise CommandError(f"{n_failed} versions were left without a seal.")
        require_from_now_on()
        self.stdout.write("From the next start on, a version without a seal is not loaded.")
