"""The dialogs of an endpoint's settings and service, and what the pages say of one out of service or locked away."""

from __future__ import annotations

import re

import pytest
from django.test import Client

from inference.models import Endpoint
from registry.models import AuditEvent
from tests.factories import make_endpoint, make_user, split, version_of
from tests.inference.quarantine.killed import kill

pytestmark = pytest.mark.django_db(transaction=True)
SHOWN = {
    "description": "",
    "deadline_ms": "30000",
    "batch_size": "",
    "batch_delay_us": "0",
    "capture_bp": "0",
    "capture_bytes": "65536",
    "slo_p99_ms": "",
    "slo_error_bp": "",
}
OUT, IN = {"state": "out", "reason": "it drifts"}, {"state": "in", "reason": "mended"}


def sent(**changes: str) -> dict[str, str]:
    """The form as the browser sends it: what was shown stands beside what is wanted."""
    return {**{f"initial-{name}": value for name, value in SHOWN.items()}, **SHOWN, **changes}


@pytest.fixture
def operator() -> Client:
    client = Client()
    client.force_login(make_user("olga", "operator"))
    return client


def read(client: Client, path: str) -> str:
    return re.sub(r"\s+", " ", client.get(path).content.decode())


# --- settings ---------------------------------------------------------------------------------------------------------


def test_settings__sent__hold_and_are_recorded(operator: Client) -> None:
    make_endpoint("shop")
    form = sent(description="buys", deadline_ms="250", batch_size="8", batch_delay_us="500")
    answer = operator.post("/endpoints/shop/settings", form)
    assert (answer.status_code, answer.headers["Location"]) == (303, "/endpoints/shop")
    saved = Endpoint.objects.values("description", "deadline_ms", "batch_size", "batch_delay_us").get(slug="shop")
    assert saved == {"description": "buys", "deadline_ms": 250, "batch_size": 8, "batch_delay_us": 500}
    assert AuditEvent.objects.filter(action="endpoint.edited", actor_name="olga").count() == 1


def test_settings__captures_and_objectives__in_percent(operator: Client) -> None:
    make_endpoint("shop")
    form = sent(capture_bp="2.5", capture_bytes="1000", slo_p99_ms="120", slo_error_bp="0.01", replay_required="on")
    assert operator.post("/endpoints/shop/settings", form).status_code == 303
    names = ("capture_bp", "capture_bytes", "slo_p99_ms", "slo_error_bp", "replay_required")
    assert Endpoint.objects.values_list(*names).get(slug="shop") == (250, 1_000, 120, 1, True)
    page = read(operator, "/endpoints/shop/settings")
    for name, value in (("capture_bp", "2.5"), ("slo_error_bp", "0.01"), ("slo_p99_ms", "120")):
        assert f'name="initial-{name}" value="{value}"' in page
        assert re.search(rf'<input type="number" name="{name}" value="{value}"', page)
    assert 'name="replay_required" id="id_replay_required" checked' in page
    shown = {"initial-capture_bp": "2.5", "capture_bp": "0", "initial-replay_required": "True"}
    operator.post("/endpoints/shop/settings", {**sent(), **shown})
    assert Endpoint.objects.values_list(*names).get(slug="shop") == (0, 1_000, 120, 1, False)


def test_settings__emptied_objectives__are_none(operator: Client) -> None:
    make_endpoint("shop")
    Endpoint.objects.filter(slug="shop").update(slo_p99_ms=9, slo_error_bp=9)
    operator.post("/endpoints/shop/settings", {**sent(), "initial-slo_p99_ms": "9", "initial-slo_error_bp": "0.09"})
    assert Endpoint.objects.values_list("slo_p99_ms", "slo_error_bp").get(slug="shop") == (None, None)


def test_settings__emptied_batch__goes_back_to_what_was_measured(operator: Client) -> None:
    make_endpoint("shop")
    Endpoint.objects.filter(slug="shop").update(batch_size=8)
    operator.post("/endpoints/shop/settings", {**sent(), "initial-batch_size": "8"})
    assert Endpoint.objects.get(slug="shop").batch_size is None


def test_settings__somebody_changed_another_one_meanwhile__keeps_both(operator: Client) -> None:
    make_endpoint("shop")
    Endpoint.objects.filter(slug="shop").update(deadline_ms=99)
    operator.post("/endpoints/shop/settings", sent(batch_delay_us="7"))
    assert Endpoint.objects.values_list("deadline_ms", "batch_delay_us").get(slug="shop") == (99, 7)


def test_settings__unchanged__says_so_and_records_nothing(operator: Client) -> None:
    make_endpoint("shop")
    answer = operator.post("/endpoints/shop/settings", sent(), follow=True)
    assert "Nothing was changed." in answer.content.decode()
    assert not AuditEvent.objects.filter(action="endpoint.edited").exists()


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("deadline_ms", "0"),
        ("deadline_ms", "600001"),
        ("deadline_ms", ""),
        ("deadline_ms", "soon"),
        ("batch_size", "0"),
        ("batch_size", "1025"),
        ("batch_delay_us", "-1"),
        ("batch_delay_us", "1000001"),
        ("capture_bp", "100.01"),
        ("capture_bp", "-1"),
        ("capture_bp", "0.001"),
        ("capture_bp", ""),
        ("capture_bytes", "255"),
        ("capture_bytes", "1048577"),
        ("slo_p99_ms", "0"),
        ("slo_error_bp", "0"),
    ],
)
def test_settings__wrong_value__keeps_the_input_beside_the_reason(operator: Client, field: str, value: str) -> None:
    make_endpoint("shop")
    answer = operator.post("/endpoints/shop/settings", sent(description="kept", **{field: value}))
    page = answer.content.decode()
    assert answer.status_code == 400
    assert f'id="id_{field}-error"' in page
    assert ">\nkept</textarea>" in page
    assert value == "" or f'value="{value}"' in page
    assert Endpoint.objects.values_list("description", "deadline_ms").get(slug="shop") == ("", 30_000)


# --- service ----------------------------------------------------------------------------------------------------------


def test_service__out_and_in_again__is_said_on_every_page(operator: Client) -> None:
    make_endpoint("shop")
    assert 'name="state" value="out"' in read(operator, "/endpoints/shop/service")
    answer = operator.post("/endpoints/shop/service", OUT)
    assert (answer.status_code, answer.headers["Location"]) == (303, "/endpoints/shop")
    page = read(operator, "/endpoints/shop")
    assert "every call is answered 503." in page
    assert "Put back into service…" in page
    assert "Take out of service…" not in page
    for path in ("/", "/endpoints", "/endpoints/shop"):
        assert "Out of service</span>" in read(operator, path)
    assert "is out of service: every call is answered 503." in read(operator, "/")
    assert 'name="state" value="in"' in read(operator, "/endpoints/shop/service")
    operator.post("/endpoints/shop/service", IN)
    assert Endpoint.objects.get(slug="shop").unloaded_at is None
    assert "Out of service</span>" not in read(operator, "/endpoints/shop")


def test_service__asked_twice__stays_as_asked(operator: Client) -> None:
    make_endpoint("shop")
    for _ in range(2):
        assert operator.post("/endpoints/shop/service", OUT).status_code == 303
    assert Endpoint.objects.get(slug="shop").unloaded_at is not None


def test_service__out_and_in__the_reasons_are_recorded(operator: Client) -> None:
    make_endpoint("shop")
    for form in (OUT, IN):
        operator.post("/endpoints/shop/service", form)
    events = AuditEvent.objects.filter(action__in=("endpoint.unloaded", "endpoint.loaded")).order_by("pk")
    assert list(events.values_list("action", "reason")) == [
        ("endpoint.unloaded", "it drifts"),
        ("endpoint.loaded", "mended"),
    ]


def test_service__without_a_reason__asks_for_it(operator: Client) -> None:
    make_endpoint("shop")
    answer = operator.post("/endpoints/shop/service", {"state": "out"})
    assert (answer.status_code, 'id="id_reason-error"' in answer.content.decode()) == (400, True)
    assert Endpoint.objects.get(slug="shop").unloaded_at is None


def test_service__without_a_state__changes_nothing(operator: Client) -> None:
    make_endpoint("shop")
    assert operator.post("/endpoints/shop/service", {"reason": "x"}).status_code == 400
    assert Endpoint.objects.get(slug="shop").unloaded_at is None


def test_dialogs__by_a_viewer__are_neither_offered_nor_answered() -> None:
    viewer = Client()
    viewer.force_login(make_user("vera", "viewer"))
    make_endpoint("shop")
    page = read(viewer, "/endpoints/shop")
    assert "/endpoints/shop/settings" not in page
    assert "/endpoints/shop/service" not in page
    assert viewer.get("/endpoints/shop/settings").status_code == 403
    assert viewer.get("/endpoints/shop/service").status_code == 403


# --- quarantined versions are not offered -----------------------------------------------------------------------------


def test_pages__newest_version_quarantined__offer_it_nowhere(operator: Client) -> None:
    endpoint = make_endpoint("shop")
    assert "Promote v2…" in read(operator, "/endpoints/shop")
    assert "Promote to shop…" in read(operator, "/models/shop/versions/2")
    kill(version_of(endpoint, 2))
    assert "Promote v2…" not in read(operator, "/endpoints/shop")
    page = read(operator, "/models/shop/versions/2")
    assert "promote?version=2" not in page
    assert 'disabled aria-describedby="no-traffic"' in page
    assert '<span id="no-traffic">Version 2 is quarantined, as it killed its process: release it first.</span>' in page
    assert 'id="try"' not in page
    for path in ("promote", "split"):
        page = read(operator, f"/endpoints/shop/{path}")
        assert '<option value="1"' in page
        assert '<option value="2"' not in page
    assert operator.get("/endpoints/shop/promote?version=2").status_code == 200


def test_endpoint__earlier_split_holds_a_quarantined_version__no_way_back_is_offered(operator: Client) -> None:
    endpoint = split(make_endpoint("shop"), 1_000)
    assert operator.post("/endpoints/shop/promote", {"version": "1", "reason": "x", "epoch": endpoint.epoch})
    page = read(operator, "/endpoints/shop")
    assert page.count("Back to this") == 2
    assert "Roll back…" in page
    kill(version_of(endpoint, 2))
    page = read(operator, "/endpoints/shop")
    assert page.count("Back to this") == 1
    assert "v2 is quarantined" in page
    assert "Roll back…" not in page
