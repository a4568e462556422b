"""What may go: counts that the ledger has taken up, and the answers that idempotency keys were given."""

from __future__ import annotations

from datetime import timedelta

from django.utils import timezone

from inference.models import Command, EvidenceWindow

WINDOWS_KEPT = timedelta(days=7)
COMMANDS_KEPT = timedelta(days=2)


def forget_old_evidence() -> None:
    """The ledger itself stays: every decision can still be computed again from it."""
    now = timezone.now()
    EvidenceWindow.objects.filter(ended_at__lt=now - WINDOWS_KEPT).delete()
    Command.objects.filter(created_at__lt=now - COMMANDS_KEPT).delete()
