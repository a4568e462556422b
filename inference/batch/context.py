"""What a worker has to know of a job's version, read from its frozen signature and validation report."""

from __future__ import annotations

from typing import Any

from inference.batch.layout import Layout, layout_of
from inference.batch.writers import Writer
from inference.models import BatchJob
from registry.artifacts.signature import Signature
from registry.models import ModelVersion


def signature_of(version: ModelVersion) -> Signature:
    return Signature.from_json(version.signature or {"inputs": [], "outputs": []})


def facts_of(version: ModelVersion) -> dict[str, Any]:
    return dict((version.report or {}).get("facts") or {})


def bare_layout(version: ModelVersion) -> Layout:
    """Raises BadFile."""
    return layout_of(signature_of(version), rows_mix=bool(facts_of(version).get("batch_coupled")))


def writer_of(job: BatchJob, layout: Layout) -> Writer:
    return Writer.of(job.format, signature_of(job.version), row_by_row=layout.row_by_row)
