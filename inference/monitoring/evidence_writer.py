"""Evidence as rows in PostgreSQL: all arms of one flush in one transaction, each written exactly once.

What could not be written waits, and is tried again under the same number. Once too much waits, the next flush just
spans a longer time. The same transaction says when this process last told, so that no evidence can be told from none.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import NamedTuple
from uuid import UUID

from django.db import IntegrityError, transaction
from django.db.models.functions import Now

from inference.models import EvidenceWindow, ServingProcess, TrafficSplit
from inference.monitoring.arms import Arm, Pairs
from inference.monitoring.evidence import EVIDENCE, ArmKey, Evidence, Taken
from portal.lib.hints import hint

# Who judges rollouts listens here, so as not to find out only at the next look.
BAD_NEWS = "slipway_bad_news"
# Ten minutes at one flush every two seconds.
MOST_WAITING = 300


class Flush(NamedTuple):
    rows: list[EvidenceWindow]
    n_units: int


class EvidenceWriter:
    """The rows of one process, whose row in ServingProcess has the id `process`. Not for several threads."""

    def __init__(self, process: UUID, evidence: Evidence = EVIDENCE) -> None:
        self._process = process
        self._evidence = evidence
        self._seq = 0
        self._waiting: list[Flush] = []

    def cut(self) -> None:
        """Ends a window now; what was noted in it waits to be written."""
        if len(self._waiting) >= MOST_WAITING:
            return
        taken = self._evidence.take()
        if taken.arms:
            self._seq += 1
            rows = [self._row(key, arm, taken) for key, arm in taken.arms.items()]
            self._waiting.append(Flush(rows, taken.n_units))

    def write(self) -> int:
        """Writes what waits and returns the number of rows. Raises DatabaseError, and then all of it still waits."""
        rows = [row for flush in self._waiting for row in flush.rows]
        try:
            self._store(rows)
        except IntegrityError:
            # A split was deleted meanwhile; the others' rows are as good as before.
            self._store(_of_what_exists(rows))
        self._evidence.release(sum(flush.n_units for flush in self._waiting))
        self._waiting.clear()
        return len(rows)

    def _store(self, rows: list[EvidenceWindow]) -> None:
        with transaction.atomic():
            EvidenceWindow.objects.bulk_create(rows, ignore_conflicts=True)
            ServingProcess.objects.filter(pk=self._process).update(counted_at=Now())
            if any(row.n_bad for row in rows):
                hint(BAD_NEWS)

    def _row(self, key: ArmKey, arm: Arm | Pairs, taken: Taken) -> EvidenceWindow:
        return EvidenceWindow(
            process=self._process,
            seq=self._seq,
            split_id=key.split_id,
            variant=key.variant,
            is_keyed=key.is_keyed,
            started_at=datetime.fromtimestamp(taken.began, UTC),
            ended_at=datetime.fromtimestamp(taken.ended, UTC),
            **arm.fields(),
        )


def _of_what_exists(rows: list[EvidenceWindow]) -> list[EvidenceWindow]:
    splits = set(TrafficSplit.objects.filter(pk__in={row.split_id for row in rows}).values_list("pk", flat=True))
    return [row for row in rows if row.split_id in splits]
