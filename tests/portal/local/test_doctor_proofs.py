from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from inference.models import Endpoint
from portal.local.doctor.finding import Level
from portal.local.doctor.proofs import served_versions
from registry.access.principal import SYSTEM
from registry.models import AuditEvent, ModelVersion
from registry.services import tampering
from registry.services.archives import subject_of
from registry.services.artifacts import artifact_store, job_store
from registry.services.sealing import seal
from registry.trust_selectors import refused_versions
from tests import factories

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def endpoint(settings: Any, tmp_path: Path) -> Iterator[Endpoint]:
    """Version 1 and 2 are live, version 3 is not. All are sealed."""
    settings.DATA_DIR = tmp_path
    tampering._noted.clear()
    for store in (artifact_store, job_store):
        store.cache_clear()
    made = factories.split(factories.make_endpoint("shop", n_versions=3), 1_000)
    for version in ModelVersion.objects.all():
        ModelVersion.objects.filter(pk=version.pk).update(seal=seal(subject_of(version), version.sha256))
    yield made
    for store in (artifact_store, job_store):
        store.cache_clear()


def flip(version: ModelVersion) -> bytes:
    """The bytes as they were."""
    path = artifact_store().path(version.sha256)
    before = path.read_bytes()
    path.write_bytes(before[:-1] + b"x")
    return before


def test_served_versions__as_registered__all_read_and_others_not_looked_at(endpoint: Endpoint) -> None:
    flip(factories.version_of(endpoint, 3))
    finding = served_versions()
    assert (finding.level, finding.text) == (Level.OK, "2 are what was registered, byte by byte")


def test_served_versions__bytes_or_seal_changed__named_on_the_record_and_closed_once_mended(endpoint: Endpoint) -> None:
    one, two = (factories.version_of(endpoint, number) for number in (1, 2))
    before = flip(one)
    ModelVersion.objects.filter(pk=two.pk).update(seal=one.seal)
    finding = served_versions()
    assert finding.level == Level.FAIL
    assert finding.text.startswith("shop v1: artifact_tampered; shop v2: artifact_tampered. Put rows and files back")
    tampered = AuditEvent.objects.filter(action="version.tampered")
    assert set(tampered.values_list("object_name", flat=True)) == {"shop v1", "shop v2"}
    artifact_store().path(one.sha256).write_bytes(before)
    ModelVersion.objects.filter(pk=two.pk).update(seal=two.seal)
    assert served_versions().level == Level.OK
    assert refused_versions(SYSTEM) == []
    assert tampered.count() == AuditEvent.objects.filter(action="version.proven").count() == 2


def test_served_versions__no_time__seals_are_checked_all_the_same(endpoint: Endpoint) -> None:
    finding = served_versions(seconds=-1)
    assert finding.level == Level.WARN
    assert finding.text == "all seals hold; 0 were read in full, 2 not within -1 s"
    ModelVersion.objects.filter(number=2).update(seal=factories.version_of(endpoint, 1).seal)
    assert served_versions(seconds=-1).level == Level.FAIL


def test_served_versions__file_gone__fails(endpoint: Endpoint) -> None:
    artifact_store().delete(factories.version_of(endpoint, 1).sha256)
    assert served_versions().text.startswith("shop v1: artifact_missing. ")
