"""`manage.py verify_audit`: walks the chain of the record and names the first row that does not fit."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError

from registry.services.audit import verify_chain


class Command(BaseCommand):
    help = "Check that no audit event was edited, removed or reordered."

    def handle(self, *args: Any, **options: Any) -> None:
        verdict = verify_chain()
        if verdict.first_broken is not None:
            raise CommandError(f"Audit event {verdict.first_broken}: {verdict.problem}.")
        self.stdout.write(f"{verdict.n_events} audit events, all in order.")
