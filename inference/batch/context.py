"""What a worker has to know of a job's version, read from its frozen signature and validation report."""

from __future__ import annotations

from typing import Any

from inference.batch.faults import BadFile
from inference.batch.layout import Layout, layout_of
from inference.batch.prepared import written
from inference.batch.writers import Writer
from inference.models import BatchJob
from inference.protocol.preprocessing import Travels, travels_with
from inference.selectors.signatures import signature_of
from registry.artifacts.manifest import with_report_labels
from registry.models import ModelVersion


def facts_of(version: ModelVersion) -> dict[str, Any]:
    return dict((version.report or {}).get("facts") or {})


def travels_of(version: ModelVersion) -> Travels:
    return travels_with(signature_of(version), with_report_labels(version.manifest, facts_of(version)))


def bare_layout(version: ModelVersion) -> Layout:
    """Raises BadFile."""
    travels = travels_of(version)
    if travels.broken:
        raise BadFile("manifest_mismatch", f"{travels.broken[0]} Upload the version again with a manifest that fits.")
    return layout_of(
        written(signature_of(version), travels),
        rows_mix=bool(facts_of(version).get("batch_coupled")),
        features=travels.features,
    )


def writer_of(job: BatchJob, layout: Layout) -> Writer:
    signature = written(signature_of(job.version), travels_of(job.version))
    return Writer.of(job.format, signature, row_by_row=layout.row_by_row)
