"""The settings of an endpoint over the API: what is captured, what is aimed at."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client

from inference.models import Endpoint
from registry.models import AuditEvent
from tests.factories import make_endpoint, make_user, token_for

pytestmark = pytest.mark.django_db(transaction=True)
NAMES = ("capture_bp", "capture_bytes", "slo_p99_ms", "slo_error_bp", "replay_required")


def patch(changes: dict[str, Any]) -> Any:
    user = make_user(f"olga-{Endpoint.objects.count()}-{AuditEvent.objects.count()}", "operator")
    headers = {"Authorization": f"Bearer {token_for(user)[1]}"}
    return Client().patch("/api/v1/endpoints/shop", changes, content_type="application/json", headers=headers)


def test_settings__new_endpoint__nothing_captured_and_no_objective() -> None:
    make_endpoint("shop")
    answer = patch({"description": "x"}).json()
    assert [answer[name] for name in NAMES] == [0, 65_536, None, None, False]


def test_settings__all_at_once__hold_and_are_recorded() -> None:
    make_endpoint("shop")
    wanted = dict(zip(NAMES, (250, 1_000, 120, 5, True), strict=True))
    answer = patch(wanted)
    assert (answer.status_code, {name: answer.json()[name] for name in NAMES}) == (200, wanted)
    event = AuditEvent.objects.filter(action="endpoint.edited").latest("pk")
    assert event.details == {"fields": sorted(NAMES), **wanted}
    answer = patch({"slo_p99_ms": None, "slo_error_bp": None, "replay_required": False})
    assert [answer.json()[name] for name in NAMES] == [250, 1_000, None, None, False]


def test_settings__only_the_replay_switch__moves_nothing_at_the_serving_processes() -> None:
    endpoint = make_endpoint("shop")
    assert patch({"replay_required": True}).status_code == 200
    assert Endpoint.objects.get(pk=endpoint.pk).changed_sequence == endpoint.changed_sequence


@pytest.mark.parametrize(
    "changes",
    [
        {"capture_bp": 10_001},
        {"capture_bp": -1},
        {"capture_bp": None},
        {"capture_bp": "half"},
        {"capture_bytes": 255},
        {"capture_bytes": 1_048_577},
        {"slo_p99_ms": 0},
        {"slo_error_bp": 10_001},
        {"replay_required": "perhaps"},
        {"replay_required": None},
    ],
)
def test_settings__out_of_range__400_and_nothing_changed(changes: dict[str, Any]) -> None:
    endpoint = make_endpoint("shop")
    answer = patch(changes)
    assert answer.status_code == 400
    assert next(iter(changes)) in str(answer.json()["error"])
    now = Endpoint.objects.get(pk=endpoint.pk)
    assert all(getattr(now, name) == getattr(endpoint, name) for name in NAMES)
