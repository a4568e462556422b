"""The live part of an endpoint's page, without a browser."""

from __future__ import annotations

import re
from datetime import timedelta
from uuid import uuid4

import pytest
from django.test import Client
from django.utils import timezone

from inference.models import Endpoint, MetricWindow
from inference.monitoring.histogram import bucket_of
from tests.factories import make_endpoint, make_user, split, version_of

pytestmark = pytest.mark.django_db(transaction=True)
N = "\N{NARROW NO-BREAK SPACE}"


@pytest.fixture
def viewer() -> Client:
    client = Client()
    client.force_login(make_user("vera", "viewer"))
    return client


def window(endpoint: Endpoint, number: int, variant: str, n_ok: int, n_model_errors: int = 0) -> None:
    """A minute that ended ten seconds ago."""
    ended_at = timezone.now() - timedelta(seconds=10)
    MetricWindow.objects.create(
        process=uuid4(),
        seq=1,
        endpoint=endpoint,
        version=version_of(endpoint, number),
        variant=variant,
        started_at=ended_at - timedelta(seconds=20),
        ended_at=ended_at,
        n_ok=n_ok,
        n_model_errors=n_model_errors,
        latency={str(bucket_of(0.005)): n_ok},
    )


def test_live__without_traffic__teaches_the_first_call(viewer: Client) -> None:
    make_endpoint("shop")
    page = viewer.get("/endpoints/shop").content.decode()
    assert "No calls in the last ten minutes" in page
    assert "curl http://testserver/v2/models/shop/infer" in page.split('id="first-call"')[1]


def test_live__with_traffic__shows_each_arm_its_errors_and_times(viewer: Client) -> None:
    endpoint = split(make_endpoint("shop"), 1_000)
    window(endpoint, 1, "stable", 100)
    window(endpoint, 2, "canary", 30, n_model_errors=10)
    window(endpoint, 2, "", 5)
    page = viewer.get("/endpoints/shop/live").content.decode()
    assert "<html" not in page
    rows = re.findall(r"<tr><th scope=\"row\">.*?</tr>", page, re.DOTALL)
    assert len(rows) == 3
    assert f"90{N}%" in rows[0]
    assert f">0{N}%<" in rows[0]
    assert f'class="is-failed">25.0{N}%' in rows[1]
    assert "pinned" in rows[2]
    assert all(f'data-label="p99">5.0{N}ms' in row for row in rows)


def test_live__on_the_whole_page__is_the_same_fragment(viewer: Client) -> None:
    endpoint = make_endpoint("shop")
    window(endpoint, 1, "stable", 100)
    page, fragment = viewer.get("/endpoints/shop").content.decode(), viewer.get("/endpoints/shop/live").content.decode()
    assert page.count('id="traffic"') == fragment.count('id="traffic"') == 1
    assert "chart-table" in page


def test_live__asked_with_what_was_seen__answers_204(viewer: Client) -> None:
    make_endpoint("shop")
    found = re.search(r'hx-get="([^"]+)"', viewer.get("/endpoints/shop/live").content.decode())
    assert found is not None
    assert viewer.get(found[1]).status_code == 204
    assert viewer.get("/endpoints/shop/live?seen=other").status_code == 200


def test_live__of_a_foreign_project__is_as_if_missing() -> None:
    make_endpoint("shop")
    stranger = Client()
    stranger.force_login(make_user("charlie"))
    assert stranger.get("/endpoints/shop/live").status_code == 404


def test_facts__of_an_endpoint__show_deadline_and_batching(viewer: Client) -> None:
    endpoint = make_endpoint("shop")
    Endpoint.objects.filter(pk=endpoint.pk).update(deadline_ms=2_500, batch_size=16, batch_delay_us=500)
    page = viewer.get("/endpoints/shop").content.decode()
    for text in (f"<dd>2.5{N}s</dd>", "<dd>up to 16 rows</dd>", f"<dd>500{N}µs</dd>"):
        assert text in page
