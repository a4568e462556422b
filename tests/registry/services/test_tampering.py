"""A refused version is put on the record: once for each state, by whatever process, and shown until it is mended."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from django.db import connection
from django.test import Client

from portal.lib.errors import Unavailable
from registry.artifacts.model_files import Subject
from registry.models import AuditEvent, ModelVersion
from registry.services import audit, tampering
from registry.services.archives import artifact_of, subject_of
from registry.services.artifacts import artifact_store, job_store, opened
from registry.services.downloads import download_of
from registry.services.refusals import record
from registry.services.sealing import seal
from registry.services.tampering import PROVEN, TAMPERED, finding_of, note_proven, note_tampered
from registry.trust_selectors import refused_versions
from tests import factories

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def home(settings: Any, tmp_path: Path) -> Iterator[Path]:
    settings.DATA_DIR = tmp_path
    tampering._noted.clear()
    for store in (artifact_store, job_store):
        store.cache_clear()
    yield tmp_path
    for store in (artifact_store, job_store):
        store.cache_clear()


@pytest.fixture
def version() -> ModelVersion:
    """Version 1 of `m`, sealed."""
    made = factories.make_version(factories.make_model("m"), 1.0)
    made.seal = seal(subject_of(made), made.sha256)
    made.save(update_fields=["seal"])
    return made


def flip(version: ModelVersion) -> bytes:
    """The bytes as they were."""
    path = artifact_store().path(version.sha256)
    before = path.read_bytes()
    path.write_bytes(before[:-1] + bytes([before[-1] ^ 1]))
    return before


def load(version: ModelVersion) -> None:
    with opened(artifact_of(version)):
        pass


def refuse(version: ModelVersion) -> None:
    with pytest.raises(Unavailable):
        load(version)


def until(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.02)


def events() -> list[str]:
    return list(AuditEvent.objects.order_by("id").values_list("action", flat=True))


def test_opened__tampered__on_the_record_with_the_system_as_who(version: ModelVersion) -> None:
    flip(version)
    refuse(version)
    until(lambda: events() == [TAMPERED])
    event = AuditEvent.objects.get()
    assert (event.actor_id, event.actor_name) == (None, "system")
    assert (event.object_type, event.object_id, event.object_name) == ("ModelVersion", str(version.pk), "m v1")
    assert event.project_id == version.model.project_id
    assert event.details["found"] == f"the bytes of {version.sha256}"
    assert audit.verify_chain().first_broken is None


def test_download__tampered__on_the_record_too(version: ModelVersion) -> None:
    flip(version)
    with pytest.raises(Unavailable):
        list(download_of(version).chunks)
    until(lambda: events() == [TAMPERED])


def test_record__many_processes_at_once_and_again__one_event_until_the_row_changes(version: ModelVersion) -> None:
    artifact = artifact_of(version)
    finding = finding_of(artifact, subject_of(version), "the seal")

    def tell(_number: int) -> None:
        try:
            record(finding)
        finally:
            connection.close()

    with ThreadPoolExecutor(4) as threads:
        list(threads.map(tell, range(12)))
    assert events() == [TAMPERED]
    version.seal = {**version.seal, "signed_at": "x"}
    record(finding_of(artifact_of(version), subject_of(version), "the seal"))
    assert events() == [TAMPERED, TAMPERED]


def test_note__same_state_again__nothing_is_asked_of_postgresql(
    version: ModelVersion, django_assert_num_queries: Any
) -> None:
    flip(version)
    refuse(version)
    until(lambda: events() == [TAMPERED])
    with django_assert_num_queries(0):
        for _ in range(50):
            refuse(version)
            note_tampered(artifact_of(version), f"the bytes of {version.sha256}")
    assert tampering._findings.empty()


def test_note__bytes_are_put_back__the_next_load_closes_it_and_a_new_case_is_a_new_event(version: ModelVersion) -> None:
    before = flip(version)
    refuse(version)
    until(lambda: events() == [TAMPERED])
    artifact_store().path(version.sha256).write_bytes(before)
    load(version)
    until(lambda: events() == [TAMPERED, PROVEN])
    load(version)
    note_proven(artifact_of(version))
    flip(version)
    refuse(version)
    until(lambda: events() == [TAMPERED, PROVEN, TAMPERED])


def test_record__nobody_s_version_or_deleted__nothing(version: ModelVersion) -> None:
    artifact = artifact_of(version)
    assert record(finding_of(artifact, Subject(0, 1), "the seal")) is None
    ModelVersion.objects.update(deleted_at="2026-01-01T00:00Z")
    assert record(finding_of(artifact, subject_of(version), "the seal")) is None
    assert events() == []


def test_refused_versions__as_long_as_nobody_mends_it__for_members_only(version: ModelVersion) -> None:
    finding = finding_of(artifact_of(version), subject_of(version), "the bytes of it")
    record(finding)
    member, stranger = factories.principal("anna", "viewer"), factories.principal("bert")
    assert [item.version for item in refused_versions(member)] == [version]
    assert refused_versions(stranger) == []
    record(finding._replace(found=""))
    assert refused_versions(member) == []


def test_refused_versions__row_put_right__gone_though_no_process_has_loaded_it_yet(version: ModelVersion) -> None:
    good = version.seal
    ModelVersion.objects.update(seal={**good, "signed_at": "x"})
    version.refresh_from_db()
    refuse(version)
    until(lambda: events() == [TAMPERED])
    member = factories.principal("anna", "viewer")
    assert len(refused_versions(member)) == 1
    ModelVersion.objects.update(seal={**good, "signed_at": "y"})
    assert len(refused_versions(member)) == 1
    ModelVersion.objects.update(seal=good)
    assert refused_versions(member) == []


def test_pages__refused_version__named_at_home_and_on_its_page(version: ModelVersion, client: Client) -> None:
    record(finding_of(artifact_of(version), subject_of(version), "the seal is another version's"))
    client.force_login(factories.make_user("anna", "owner"))
    sentence = "Its row holds the seal of another version. Put it back from a backup, or upload the model again."
    for path in ("/", "/models/m/versions/1"):
        page = client.get(path)
        assert page.status_code == 200
        assert sentence in page.content.decode()
