"""Questions about kept requests: captured answers of an endpoint, disagreements of a rollout's shadow."""

from __future__ import annotations

from typing import NamedTuple

from django.db.models import QuerySet
from django.utils.translation import gettext as _

from inference.models import Disagreement, Endpoint, EvidenceWindow, PredictionRecord, Rollout
from inference.selectors.rollouts import SHADOW
from portal.lib.errors import NotFound


class Compared(NamedTuple):
    """What a rollout's shadow did: answers compared, and those of them that differed."""

    n: int
    n_disagreed: int


def captured_of(endpoint: Endpoint, version: int | None = None) -> QuerySet[PredictionRecord]:
    """Newest first; `version` is a number."""
    records = PredictionRecord.objects.filter(endpoint=endpoint).select_related("version")
    return records if version is None else records.filter(version__number=version)


def captured_versions(endpoint: Endpoint) -> list[int]:
    """The numbers of the versions of which something was captured, newest first."""
    versions = PredictionRecord.objects.filter(endpoint=endpoint).order_by().values("version").distinct()
    return list(endpoint.model.versions.filter(pk__in=versions).order_by("-number").values_list("number", flat=True))


def get_captured(endpoint: Endpoint, record_id: int) -> PredictionRecord:
    record = captured_of(endpoint).filter(pk=record_id).prefetch_related("outcomes").first()
    if record is None:
        raise NotFound(_("This captured request is not kept any more."))
    return record


def disagreements_of(rollout: Rollout, kind: str = "") -> QuerySet[Disagreement]:
    """Newest first, without their tensors."""
    rows = Disagreement.objects.filter(rollout=rollout).defer("inputs", "stable_outputs", "shadow_outputs")
    return rows.filter(kind=kind) if kind else rows


def get_disagreement(rollout: Rollout, disagreement_id: int) -> Disagreement:
    row = Disagreement.objects.filter(rollout=rollout, pk=disagreement_id).first()
    if row is None:
        raise NotFound(_("There is no such disagreement."))
    return row


def compared_of(rollout: Rollout) -> Compared:
    windows = EvidenceWindow.objects.filter(split__rollout=rollout, variant=SHADOW).values_list("n", "n_bad")
    pairs = list(windows)
    return Compared(sum(n for n, _bad in pairs), sum(bad for _n, bad in pairs))
