"""Whoever takes a model's bytes away stands on the audit record, by whichever door."""

from __future__ import annotations

import pytest
from django.test import Client

from registry.models import AuditEvent, ModelVersion
from tests import factories

pytestmark = pytest.mark.django_db


@pytest.fixture
def version() -> ModelVersion:
    return factories.make_version(factories.make_model("m"), 1.0)


@pytest.mark.parametrize(
    ("path", "details"),
    [
        ("/api/v1/models/m/versions/1/download", {}),
        ("/api/2.0/mlflow-artifacts/artifacts/registry/m/1/model.onnx", {"file": "model.onnx"}),
    ],
    ids=["api", "mlflow"],
)
def test_download__with_a_token__who_what_and_with_which_token(
    client: Client, version: ModelVersion, path: str, details: dict[str, str]
) -> None:
    anna = factories.make_user("anna", "viewer")
    token, secret = factories.token_for(anna)
    answer = client.get(path, headers={"Authorization": f"Bearer {secret}"})
    assert answer.status_code == 200, answer.content
    event = AuditEvent.objects.get(action="version.downloaded")
    assert (event.actor_id, event.actor_name, event.token_prefix) == (anna.pk, "anna", token.prefix)
    assert (event.object_name, event.project_id) == ("m v1", version.model.project_id)
    assert event.details == {"sha256": version.sha256, **details}


def test_download__not_permitted__nothing_on_the_record(client: Client, version: ModelVersion) -> None:
    client.force_login(factories.make_user("bert"))
    assert client.get("/api/v1/models/m/versions/1/download").status_code == 404
    assert not AuditEvent.objects.filter(action="version.downloaded").exists()
