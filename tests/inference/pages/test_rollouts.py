"""The pages of rollouts, without a browser: what they show in each state, what the forms answer."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.test import Client
from django.utils import timezone

from inference.models import AnalysisRun, Endpoint, EvidenceBatch, EvidenceWindow, MetricWindow, Rollout, RolloutStage
from inference.monitoring.histogram import bucket_of
from registry.models import AuditEvent
from tests.factories import make_endpoint, make_rollout, make_user, split, version_of

pytestmark = pytest.mark.django_db(transaction=True)
N = "\N{NARROW NO-BREAK SPACE}"
FORM = {"candidate": "2", "preset": "canary", "reason": "better recall"}


@pytest.fixture
def operator() -> Client:
    client = Client()
    client.force_login(make_user("olga", "operator"))
    return client


@pytest.fixture
def viewer() -> Client:
    client = Client()
    client.force_login(make_user("vera", "viewer"))
    return client


def page_of(client: Client, path: str, **data: Any) -> str:
    answer = client.get(path, data)
    assert answer.status_code == 200, answer.status_code
    return answer.content.decode()


def looked(rollout: Rollout, missing: Sequence[str] = ("bake", "proof"), **ln_e: float) -> None:
    """A look of the controller, with what it rests on."""
    facts = {"proof_ln": 1.0, "missing": list(missing), "n_canary": 60, "n_stable": 540, "n_pairs": 0}
    AnalysisRun.objects.create(
        rollout=rollout,
        seq=7,
        at=timezone.now(),
        state=rollout.state,
        position=rollout.position,
        outcome="inconclusive",
        ln_e=ln_e,
        facts=facts,
    )


def ledger(rollout: Rollout, guardrail: str, n_c: int, n_s: int, k_c: int, k_s: int) -> None:
    counts = {"n_c": n_c, "n_s": n_s, "k_c": k_c, "k_s": k_s}
    EvidenceBatch.objects.create(
        rollout=rollout, seq=7, stage=rollout.position, guardrail=guardrail, at=timezone.now(), **counts
    )


def counted(rollout: Rollout, variant: str, n: int, n_bad: int, seconds: float) -> None:
    """Twenty seconds that ended five seconds ago."""
    ended_at = timezone.now() - timedelta(seconds=5)
    EvidenceWindow.objects.create(
        process=uuid4(),
        seq=1,
        split=Endpoint.objects.get(pk=rollout.endpoint_id).live_split,
        variant=variant,
        started_at=ended_at - timedelta(seconds=20),
        ended_at=ended_at,
        n=n,
        n_bad=n_bad,
        latency={str(bucket_of(seconds)): n - n_bad},
    )


# --- list -----------------------------------------------------------------------------------------------------------


def test_list__without_rollouts__teaches_the_first_one(operator: Client) -> None:
    make_endpoint("shop")
    page = page_of(operator, "/rollouts")
    assert 'href="/endpoints/shop/rollouts/new"' in page
    assert "curl http://testserver/api/v1/endpoints/shop/rollouts" in page


def test_list__filtered_by_state__holds_those_only(operator: Client) -> None:
    running, ended = make_rollout(make_endpoint("shop")), make_rollout(make_endpoint("till"))
    Rollout.objects.filter(pk=ended.pk).update(state="aborted", ended_at=timezone.now())
    for state, shown in (("live", running), ("canary", running), ("aborted", ended)):
        assert re.findall(r'scope="row"><a href="/rollouts/(\d+)"', page_of(operator, "/rollouts", state=state)) == [
            str(shown.pk)
        ]


def test_rail__with_a_running_rollout__counts_it_for_who_may_see_it(viewer: Client) -> None:
    make_rollout(make_endpoint("shop"))
    assert "running: </span>1</span>" in page_of(viewer, "/models")
    stranger = Client()
    stranger.force_login(make_user("charlie"))
    assert "running: " not in page_of(stranger, "/models")


# --- cockpit --------------------------------------------------------------------------------------------------------


def test_cockpit__in_a_stage__shows_arms_counts_evidence_and_what_is_missing(viewer: Client) -> None:
    rollout = make_rollout(make_endpoint("shop"))
    looked(rollout, errors=2.7, latency=-1.0)
    ledger(rollout, "errors", 60, 540, 3, 5)
    counted(rollout, "stable", 540, 5, 0.02)
    counted(rollout, "canary", 60, 3, 0.03)
    page = page_of(viewer, f"/rollouts/{rollout.pk}")
    assert f"Canary at 10{N}%" in page
    assert f"stable version 1: 90{N}%, canary version 2: 10{N}%" in page
    assert page.count('aria-current="step"') == 1
    assert "60 of 100 requests" in page
    assert "proof: 2.7 of 20" in page
    assert "E <b>= 15</b>" in page
    assert "guard-holding" in page.split('id="guard-latency"')[0]
    assert re.findall(r'<th scope="row">failed</th><td class="num">(.*?)</td><td class="num">(.*?)</td>', page) == [
        ("5", "3")
    ]
    assert f"0.93{N}%" in page
    assert f"5.0{N}% failed" in page
    assert "button-danger" not in page


@pytest.mark.parametrize(
    ("state", "badge", "acts"),
    [
        ("draft", "Draft", {"start", "abort"}),
        ("validating", "Validating", {"abort"}),
        ("canary", f"Canary at 10{N}%", {"pause", "advance", "promote", "abort"}),
        ("hold", f"Holding at 10{N}%", {"pause", "resume", "advance", "promote", "abort"}),
        ("paused", f"Paused at 10{N}%", {"resume", "advance", "promote", "abort"}),
        ("holdback", f"Hold-back at 10{N}%", {"pause", "advance", "promote", "abort"}),
        ("rolling_back", "Rolling back", set()),
        ("promoted", "Promoted", set()),
        ("rolled_back", "Rolled back", set()),
        ("aborted", "Aborted", set()),
        ("failed_validation", "Failed validation", set()),
    ],
)
def test_cockpit__in_each_state__says_it_and_offers_its_acts(
    operator: Client, state: str, badge: str, acts: set[str]
) -> None:
    rollout = make_rollout(make_endpoint("shop"))
    early = state in ("draft", "validating", "failed_validation")
    ended = state in ("promoted", "rolled_back", "aborted", "failed_validation")
    Rollout.objects.filter(pk=rollout.pk).update(
        state=state,
        state_before="canary",
        position=-1 if early else 0,
        ended_at=timezone.now() if ended else None,
        why="It was <slow>.",
    )
    page = page_of(operator, f"/rollouts/{rollout.pk}")
    assert re.search(rf'class="badge[^"]*">(?:<svg.*?</svg>){re.escape(badge)}</span>', page, re.DOTALL)
    links = re.findall(r'id="act-(\w+)" href="([^"]+)" hx-get="([^"]+)"', page)
    assert {name: {href, asked} for name, href, asked in links} == {
        act: {f"/rollouts/{rollout.pk}/{act}"} for act in acts
    }
    assert ('hx-trigger="every 2s"' in page) is not ended
    assert "<slow>" not in page


def test_cockpit__waiting_for_approval__says_so(operator: Client) -> None:
    rollout = make_rollout(make_endpoint("shop"))
    looked(rollout, missing=["approval"], errors=-1.0)
    RolloutStage.objects.filter(rollout=rollout, index=0).update(needs_approval=True)
    page = page_of(operator, f"/rollouts/{rollout.pk}")
    assert f"Waits for approval at 10{N}%" in page
    assert "a person&#x27;s approval" in page
    assert "approve the next step" in page_of(operator, "/")


def test_live__asked_with_what_was_seen__answers_204_and_says_a_new_state_aloud(operator: Client) -> None:
    rollout = make_rollout(make_endpoint("shop"))
    found = re.search(r'hx-get="([^"]+/live[^"]+)"', page_of(operator, f"/rollouts/{rollout.pk}"))
    assert found is not None
    url = found[1].replace("&amp;", "&")
    assert operator.get(url).status_code == 204
    answer = operator.post(f"/rollouts/{rollout.pk}/pause", {"reason": "lunch", "lock_version": rollout.lock_version})
    assert answer.status_code == 303
    fragment = page_of(operator, url)
    assert "<html" not in fragment
    assert re.search(r'<div id="live" hx-swap-oob="innerHTML">shop v1 → v2: Paused', fragment)
    assert "hx-swap-oob" not in page_of(operator, f"/rollouts/{rollout.pk}")


def test_cockpit__of_a_foreign_project__is_as_if_missing() -> None:
    rollout = make_rollout(make_endpoint("shop"))
    stranger = Client()
    stranger.force_login(make_user("charlie"))
    assert stranger.get(f"/rollouts/{rollout.pk}").status_code == 404


# --- acts -----------------------------------------------------------------------------------------------------------


def test_abort__with_a_reason__brings_the_traffic_back_and_is_recorded(operator: Client) -> None:
    rollout = make_rollout(make_endpoint("shop"))
    form = {"reason": "looks odd", "lock_version": rollout.lock_version}
    answer = operator.post(f"/rollouts/{rollout.pk}/abort", form)
    assert (answer.status_code, answer.headers["Location"]) == (303, f"/rollouts/{rollout.pk}")
    rollout.refresh_from_db()
    endpoint = Endpoint.objects.get(slug="shop")
    assert (rollout.state, endpoint.live_split_id) == ("aborted", rollout.base_split_id)
    said = AuditEvent.objects.filter(action="rollout.abort").values_list("actor_name", "reason")
    assert list(said) == [("olga", "looks odd")]
    assert "All traffic went back." in page_of(operator, f"/rollouts/{rollout.pk}")


def test_act__after_somebody_else__shows_the_state_now_with_409(operator: Client) -> None:
    rollout = make_rollout(make_endpoint("shop"))
    seen = rollout.lock_version
    operator.post(f"/rollouts/{rollout.pk}/pause", {"reason": "first", "lock_version": seen})
    answer = operator.post(f"/rollouts/{rollout.pk}/promote", {"reason": "second", "lock_version": seen})
    page = answer.content.decode()
    assert answer.status_code == 409
    assert "The rollout moved on meanwhile" in page
    assert f'name="lock_version" value="{seen + 1}"' in page
    assert f"Paused at 10{N}%" in page
    assert Rollout.objects.get(pk=rollout.pk).state == "paused"


def test_act__without_a_reason__keeps_the_dialog_and_changes_nothing(operator: Client) -> None:
    rollout = make_rollout(make_endpoint("shop"))
    answer = operator.post(f"/rollouts/{rollout.pk}/advance", {"reason": " ", "lock_version": rollout.lock_version})
    assert answer.status_code == 400
    assert Rollout.objects.get(pk=rollout.pk).position == 0


def test_advance__shows_the_stage_that_follows(operator: Client) -> None:
    rollout = make_rollout(make_endpoint("shop"))
    page = page_of(operator, f"/rollouts/{rollout.pk}/advance")
    assert f'action="/rollouts/{rollout.pk}/advance"' in page
    assert f"stable version 1: 50{N}%, canary version 2: 50{N}%" in page.split('class="before-after"')[1]


def test_promote__against_evidence__asks_the_starter_twice(operator: Client) -> None:
    rollout = make_rollout(make_endpoint("shop"))
    Rollout.objects.filter(pk=rollout.pk).update(created_by=operator.session["_auth_user_id"])
    looked(rollout, errors=2.7)
    form = {"reason": "sure", "lock_version": rollout.lock_version}
    refused = operator.post(f"/rollouts/{rollout.pk}/promote", form)
    assert refused.status_code == 403
    assert "There is evidence against the candidate: E = 15." in refused.content.decode()
    assert operator.post(f"/rollouts/{rollout.pk}/promote", {**form, "force": "on"}).status_code == 303
    assert Rollout.objects.get(pk=rollout.pk).state == "promoted"
    assert "against the evidence" in page_of(operator, f"/rollouts/{rollout.pk}")


# --- a new one ------------------------------------------------------------------------------------------------------


def test_new__as_the_preset_says__starts_it(operator: Client) -> None:
    make_endpoint("shop")
    answer = operator.post("/endpoints/shop/rollouts/new", FORM)
    rollout = Rollout.objects.get()
    assert (answer.status_code, answer.headers["Location"]) == (303, f"/rollouts/{rollout.pk}")
    assert (rollout.state, rollout.preset, rollout.reason) == ("validating", "canary", "better recall")
    stages = rollout.stages.values_list("kind", "weight_bp", "n_min")
    assert list(stages) == [
        ("canary", 100, 100),
        ("canary", 500, 300),
        ("canary", 2_500, 1_000),
        ("canary", 5_000, 2_000),
        ("holdback", 9_500, 300),
    ]


def test_new__with_changed_stages__starts_with_these(operator: Client) -> None:
    make_endpoint("shop")
    stages = {"weight_0": "12.5", "bake_0": "30", "n_min_0": "50", "delta_0": "1.5", "ask_0": "on", "weight_1": ""}
    form = {**FORM, "preset": "low_traffic", "stages_of": "low_traffic", "shadow": "on", **stages}
    assert operator.post("/endpoints/shop/rollouts/new", form).status_code == 303
    columns = ("kind", "weight_bp", "bake_seconds", "n_min", "delta", "needs_approval")
    assert list(RolloutStage.objects.values_list(*columns)) == [
        ("shadow", 0, 300.0, 500, 0.0, False),
        ("canary", 1_250, 30.0, 50, 0.015, True),
    ]


def test_new__after_another_preset_was_chosen__ignores_the_stages_of_the_first(operator: Client) -> None:
    make_endpoint("shop")
    form = {**FORM, "preset": "low_traffic", "stages_of": "canary", "weight_0": "1", "n_min_0": "7"}
    page = page_of(operator, "/endpoints/shop/rollouts/new", **form)
    assert re.search(r'name="weight_0" value="10"', page)
    assert 'name="stages_of" value="low_traffic"' in page


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"reason": " "}, "This field is required."),
        ({"candidate": "9"}, "9 is not one of the available choices"),
        (
            {"stages_of": "canary", "weight_0": "120"},
            "Share of stage 1: Ensure this value is less than or equal to 100",
        ),
        ({"stages_of": "canary", "weight_0": "50", "weight_1": "5"}, "A stage has to give the candidate more"),
    ],
)
def test_new__that_is_wrong__says_so_and_keeps_the_input(
    operator: Client, change: dict[str, str], sentence: str
) -> None:
    make_endpoint("shop")
    answer = operator.post("/endpoints/shop/rollouts/new", {**FORM, "preset": "canary", **change})
    assert answer.status_code == 400
    page = answer.content.decode()
    assert sentence in page
    assert '<option value="2" selected>' in page or "candidate" in change
    assert Rollout.objects.count() == 0


def test_new__where_traffic_is_divided__says_what_to_do_first(operator: Client) -> None:
    split(make_endpoint("shop"), 1_000)
    assert "promote one first" in page_of(operator, "/endpoints/shop/rollouts/new")


def test_forecast__at_ten_requests_a_second__says_how_long_each_stage_takes(operator: Client) -> None:
    endpoint = make_endpoint("shop")
    now = timezone.now()
    for age in range(0, 120, 10):
        MetricWindow.objects.create(
            process=uuid4(),
            seq=1,
            endpoint=endpoint,
            version=version_of(endpoint, 1),
            variant="stable",
            started_at=now - timedelta(seconds=age + 10),
            ended_at=now - timedelta(seconds=age),
            n_ok=100,
        )
    page = page_of(operator, "/endpoints/shop/rollouts/new")
    rows = re.findall(r'<tr><th scope="row">([^<]+)</th>.*?class="num".*?>([\d\s]+)</td>.*?>([^<]+)</td></tr>', page)
    assert [row[0] for row in rows[:4]] == [f"{share}{N}%" for share in (1, 5, 25, 50)]
    # 10 requests a second at 1 percent: ten seconds each.
    needed = int(rows[0][1].replace(N, ""))
    assert rows[0][2] == f"{round(needed * 10 / 60)}{N}min"
    assert rows[3][2] == f"7{N}min"
    posted = operator.post("/endpoints/shop/rollouts/new", {**FORM, "forecast": "1"})
    assert (posted.status_code, Rollout.objects.count()) == (200, 0)


# --- the endpoint, and home -----------------------------------------------------------------------------------------


def test_endpoint__with_a_rollout__links_it_and_rolls_it_back(operator: Client) -> None:
    rollout = make_rollout(make_endpoint("shop"))
    page = page_of(operator, "/endpoints/shop")
    assert f'href="/rollouts/{rollout.pk}"' in page
    assert "Start a rollout" not in page
    assert "rolling back ends it" in page_of(operator, "/endpoints/shop/rollback")
    epoch = Endpoint.objects.get(slug="shop").epoch
    assert operator.post("/endpoints/shop/rollback", {"reason": "no", "epoch": epoch}).status_code == 303
    assert Rollout.objects.get(pk=rollout.pk).state == "aborted"


def test_endpoint__without_one__offers_to_start_it(operator: Client) -> None:
    make_endpoint("shop")
    assert '<a class="button button-primary" href="/endpoints/shop/rollouts/new">' in page_of(
        operator, "/endpoints/shop"
    )


def test_home__newer_version__leads_to_the_form_until_it_was_tried(operator: Client) -> None:
    endpoint = make_endpoint("shop")
    link = 'href="/endpoints/shop/rollouts/new?candidate=2"'
    assert link in page_of(operator, "/")
    rollout = make_rollout(endpoint)
    assert link not in page_of(operator, "/")
    now = timezone.now()
    Rollout.objects.filter(pk=rollout.pk).update(state="rolled_back", ended_at=now, why="It failed.", position=0)
    Endpoint.objects.filter(pk=endpoint.pk).update(live_split=rollout.base_split)
    page = page_of(operator, "/")
    assert link not in page
    assert "Rolled back by itself. It failed." in page


def test_palette__finds_a_rollout_by_its_endpoint(operator: Client) -> None:
    rollout = make_rollout(make_endpoint("shop"))
    assert f'href="/rollouts/{rollout.pk}"' in page_of(operator, "/find", q="shop")
