"""Whoever closed the tab hears how it ended: once for each verdict, and when a version is not what it was."""

from __future__ import annotations

from typing import Any

import pytest

from registry.access.principal import SYSTEM, principal_of_user
from registry.models import Notification, VersionStatus
from registry.notifications.about_versions import record_refusal, tell_verdict
from registry.services.archives import artifact_of, subject_of
from registry.services.tampering import finding_of
from registry.services.versions import About, upload_version
from registry.tasks import unpack_version, validate_version
from tests import archives, factories, graphs

pytestmark = pytest.mark.django_db


def told() -> list[tuple[str, Any]]:
    return list(Notification.objects.order_by("pk").values_list("event", "body"))


def test_verdict__good_and_bad_file__told_once_each_with_who_and_why() -> None:
    alice = principal_of_user(factories.make_user("alice", "operator"))
    model = factories.make_model("m")
    for data in (graphs.add_constant(8.0), b"\x80\x04]\x94."):
        version = upload_version(alice, model, [data])
        validate_version(version.pk)
        validate_version(version.pk)
    (first, good), (second, bad) = told()
    assert (first, second) == ("version.ready", "version.rejected")
    assert good == {"model": "m", "version": 1, "by": "alice", "code": "", "message": ""}
    assert (bad["version"], bad["code"]) == (2, "not_onnx_pickle")
    assert bad["message"].endswith(".")


@pytest.mark.parametrize(("held", "events"), [(archives.bundle(), ["version.ready"]), ({}, ["version.rejected"])])
def test_verdict__archive__told_of_what_came_out(held: dict[str, bytes], events: list[str]) -> None:
    data = archives.zipped({**held, "notes.txt": b"x"})
    version = upload_version(SYSTEM, factories.make_model(), [data], About("bundle.zip"))
    unpack_version(version.pk)
    validate_version(version.pk)
    assert [event for event, _body in told()] == events


def test_verdict__still_validating__nothing_told() -> None:
    tell_verdict(factories.make_version(factories.make_model(), 1.0, VersionStatus.VALIDATING).pk)
    assert told() == []


def test_refusal__noted_twice__on_the_record_and_told_once() -> None:
    version = factories.make_version(factories.make_model("m"), 1.0)
    finding = finding_of(artifact_of(version), subject_of(version), "the seal")
    record_refusal(finding)
    record_refusal(finding)
    record_refusal(finding._replace(found=""))
    assert told() == [("version.tampered", {"model": "m", "version": 1, "found": "the seal"})]
