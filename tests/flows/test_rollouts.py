"""Rollouts from outside: good, bad, dead and wrong candidates under traffic, a killed controller, and bad requests."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from tests import graphs
from tests.flows.portal import Answer, Client, Portal
from tests.flows.rollout_stories import (
    Callers,
    Story,
    begin,
    check_history,
    follow,
    live_versions,
    play,
    signed_in,
)

# A second. Slow enough that the thousand answers after which latency is judged too do not come together: what else runs
# on the machine would decide it.
RATE = 40.0
STABLE = graphs.add_constant(10.0)
# Beyond the table lies nothing that a caller sends.
SAME = graphs.refuses_from(100_000, 10.0)
FAILS_SOMETIMES = graphs.refuses_from(950, 10.0)
FAILS_ALWAYS = graphs.refuses_from(1, 10.0)
WRONG = graphs.add_constant(20.0)
SHADOW = {"n_min": 100, "seconds": 3}
HOLDBACK = {"seconds": 2, "n_min": 5}
QUICK = {"bake_seconds": 2, "n_min": 20, "delta": 0.2}
# What no test can wait for: such a stage ends by evidence only.
ENDLESS = {"bake_seconds": 3600, "n_min": 1_000_000, "delta": 0.01}
PLANS: dict[str, tuple[bytes, dict[str, Any]]] = {
    "healthy": (
        SAME,
        {
            "preset": "shadow_first",
            "shadow": SHADOW,
            "stages": [{"weight_bp": 2_000, **QUICK}, {"weight_bp": 5_000, **QUICK}],
            "holdback": HOLDBACK,
        },
    ),
    "fails-sometimes": (FAILS_SOMETIMES, {"preset": "canary", "stages": [{"weight_bp": 5_000, **ENDLESS}]}),
    "fails-always": (FAILS_ALWAYS, {"preset": "canary", "stages": [{"weight_bp": 500, **ENDLESS}]}),
    "wrong": (WRONG, {"preset": "shadow_first", "shadow": SHADOW, "stages": [{"weight_bp": 5_000, **ENDLESS}]}),
}


@pytest.fixture(scope="module")
def stories(alice: Client) -> dict[str, Story]:
    """All at once, as each mostly waits for its own evidence."""
    with ThreadPoolExecutor(len(PLANS)) as pool:
        running = {
            name: pool.submit(play, alice, f"rolls-{name}", (STABLE, candidate), plan, RATE)
            for name, (candidate, plan) in PLANS.items()
        }
        return {name: future.result() for name, future in running.items()}


def test_replay_rollout__every_decision__comes_out_the_same(portal: Portal, stories: dict[str, Story]) -> None:
    first, *others = (story.rollout["id"] for story in stories.values())
    _replays(portal, *others)
    done = portal.manage("replay_rollout", str(first))
    assert done.stdout.splitlines()[-1] == "Every look comes out the same."


def _replays(portal: Portal, *numbers: int) -> None:
    """In one process, as each start costs more than the replay."""
    code = f"from django.core.management import call_command as c; [c('replay_rollout', str(n)) for n in {numbers}]"
    done = portal.manage("shell", "-v", "0", "-c", code, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("Every look comes out the same.") == len(numbers)


def _check_rolled_back(alice: Client, story: Story) -> None:
    """What was live before is live again, and met everyone who began after the end."""
    assert story.rollout["state"] == "rolled_back", story.rollout
    check_history(story)
    assert live_versions(alice, story.slug) == [(1, 10_000)]
    assert len(story.later()) > 10
    assert {(one.status, one.version) for one in story.later()} == {(200, "1")}


def test_healthy__shadow_two_stages_and_holdback__promoted(alice: Client, stories: dict[str, Story]) -> None:
    story = stories["healthy"]
    assert story.rollout["state"] == "promoted", story.rollout
    check_history(story)
    assert [event["state_to"] for event in story.events if event["event"] not in ("hold", "resume")] == [
        "validating",
        "shadow",
        "canary",
        "canary",
        "holdback",
        "promoted",
    ]
    assert {one.status for one in story.seen} == {200}
    assert not [one for one in story.canary() if one.began < story.at("shadow")]
    assert live_versions(alice, story.slug) == [(2, 10_000)]
    assert {one.version for one in story.later()} == {"2"}


def test_promoted__then_rolled_back__the_version_before_is_still_loaded(
    portal: Portal, alice: Client, stories: dict[str, Story]
) -> None:
    slug = stories["healthy"].slug
    digest = alice.version(slug, 1)["sha256"]
    loaded = portal.query(
        "SELECT sessions::text FROM inference_servingprocess WHERE lease_expires_at > now() AND counted_at IS NOT NULL"
    )
    assert loaded
    assert all(digest in sessions for (sessions,) in loaded)
    back = alice.post(f"/api/v1/endpoints/{slug}/rollback", {"reason": "a test"})
    assert back.status == 200, back
    assert back.body["converged"]["acknowledged"] == back.body["converged"]["processes"] > 0
    assert alice.infer(slug, [[1, 2, 3, 4]]).headers["X-Model-Version"] == "1"


def test_fails_sometimes__rolled_back_by_its_errors(alice: Client, stories: dict[str, Story]) -> None:
    story = stories["fails-sometimes"]
    _check_rolled_back(alice, story)
    (rolled,) = [event for event in story.events if event["event"] == "roll_back"]
    assert (rolled["evidence"]["code"], rolled["evidence"]["guardrail"]) == ("evidence", "errors")
    assert {(one.status, one.variant) for one in story.seen} == {(200, "stable"), (200, "canary"), (422, "canary")}


def test_fails_always__rolled_back_after_a_handful(alice: Client, stories: dict[str, Story]) -> None:
    story = stories["fails-always"]
    _check_rolled_back(alice, story)
    assert 1 <= len(story.canary()) <= 20


def test_wrong__rolled_back_in_shadow_without_one_canary_request(alice: Client, stories: dict[str, Story]) -> None:
    story = stories["wrong"]
    _check_rolled_back(alice, story)
    (rolled,) = [event for event in story.events if event["event"] == "roll_back"]
    # It may have been held there for a moment, as less evidence is enough for that.
    assert rolled["state_from"] in ("shadow", "hold")
    assert (rolled["position"], rolled["evidence"]["guardrail"]) == (0, "agreement")
    assert {(one.status, one.variant, one.version) for one in story.seen} == {(200, "stable", "1")}


def test_wrong__its_disagreements__stand_on_their_page(portal: Portal, stories: dict[str, Story]) -> None:
    number = stories["wrong"].rollout["id"]
    ((n_kept,),) = portal.query("SELECT count(*) FROM inference_disagreement WHERE rollout_id = %s", number)
    assert n_kept > 0
    with signed_in(portal, "alice", "a-long-passw0rd") as person:
        page = person.open(f"{portal.url}/rollouts/{number}/disagreements", timeout=30).read().decode()
    assert page.count(f'href="/rollouts/{number}/disagreements/') >= 1
    # Every value of version 2 is 10 above that of version 1.
    assert ">10</td>" in page


@pytest.fixture(scope="module")
def resting(alice: Client) -> Iterator[Story]:
    """A rollout that nobody calls: it waits in its first stage until the last test is done."""
    slug = alice.serve("rolls-resting", STABLE, SAME, WRONG)
    story = begin(alice, slug, {"preset": "canary", "stages": [{"weight_bp": 100, **ENDLESS}], "replay": False})
    assert follow(alice, story, ("canary",)) == "canary"
    yield story
    assert alice.post(f"{story.path}/abort", {"reason": "done"}).status == 200


@pytest.fixture(scope="module")
def planned(alice: Client) -> str:
    """An endpoint of its own, without any rollout."""
    return alice.serve("rolls-planned", STABLE, SAME)


@pytest.mark.parametrize(
    ("said", "status", "code"),
    [
        ({"candidate": 1}, 400, "same_version"),
        ({"candidate": 99}, 400, "unknown_version"),
        ({"preset": "no-such"}, 400, "invalid_plan"),
        ({"stages": [{"weight_bp": 5_000}, {"weight_bp": 500}]}, 400, "stage_shrinks"),
        ({"stages": [{"weight_bp": 0}]}, 400, "invalid_plan"),
        ({"stages": [{"weight_bp": 500, "delta": -1}]}, 400, "invalid_plan"),
        ({"stages": [{"weight_bp": 500, "bake_seconds": "soon"}]}, 400, "invalid_plan"),
        ({"reason": " "}, 400, "invalid_input"),
    ],
    ids=["same-version", "no-version", "preset", "shrinks", "no-weight", "delta", "seconds", "reason"],
)
def test_plan__not_possible__refused_and_nothing_begins(
    alice: Client, planned: str, said: dict[str, Any], status: int, code: str
) -> None:
    path = f"/api/v1/endpoints/{planned}/rollouts"
    refused = alice.post(path, {"candidate": 2, "preset": "canary", "reason": "a test", **said})
    assert (refused.status, refused.error["code"]) == (status, code)
    assert alice.get(path).body["results"] == []
    assert alice.get(f"/api/v1/endpoints/{planned}").body["epoch"] == 1


def test_rollout_running__second_one_split_and_promote_by_hand__409(alice: Client, resting: Story) -> None:
    slug = resting.slug
    epoch = alice.get(f"/api/v1/endpoints/{slug}").body["epoch"]
    refused = [
        alice.post(f"/api/v1/endpoints/{slug}/rollouts", {"candidate": 3, "preset": "canary", "reason": "a test"}),
        alice.split(slug, stable=(1, 5_000), canary=(2, 5_000)),
        alice.post(f"/api/v1/endpoints/{slug}/promote", {"version": 2, "reason": "a test"}),
    ]
    assert [(answer.status, answer.error["code"]) for answer in refused] == [(409, "rollout_running")] * 3
    assert alice.get(f"/api/v1/endpoints/{slug}").body["epoch"] == epoch


def test_command__of_who_may_not__403_or_404_and_nothing_moves(
    alice: Client, bob: Client, charlie: Client, resting: Story
) -> None:
    before = alice.get(resting.path).body["lock_version"]
    for verb in ("pause", "resume", "advance", "promote", "abort"):
        path, said = f"{resting.path}/{verb}", {"reason": "a test"}
        viewer, stranger = bob.post(path, said), charlie.post(path, said)
        assert (viewer.status, viewer.error["code"]) == (403, "not_allowed")
        assert (stranger.status, stranger.error["code"]) == (404, "not_found")
    assert bob.get(resting.path).status == 200
    assert charlie.get(resting.path).status == 404
    assert alice.get(resting.path).body["lock_version"] == before


def test_if_match__stale__409_with_the_state_now(alice: Client, resting: Story) -> None:
    seen = alice.get(resting.path)
    assert seen.headers["ETag"] == f'"{seen.body["lock_version"]}"'
    paused = alice.post(f"{resting.path}/pause", {"reason": "a test"}, If_Match=seen.headers["ETag"])
    assert (paused.status, paused.body["state"]) == (200, "paused")
    late = alice.post(f"{resting.path}/resume", {"reason": "a test"}, If_Match=seen.headers["ETag"])
    assert (late.status, late.error["code"]) == (409, "rollout_moved")
    assert late.error["details"]["state"] == "paused"
    resumed = alice.post(f"{resting.path}/resume", {"reason": "a test"}, If_Match=paused.headers["ETag"])
    assert (resumed.status, resumed.body["state"]) == (200, "canary")


def test_idempotency_key__twice__same_answer_and_done_once(portal: Portal, alice: Client, resting: Story) -> None:
    def paused() -> int:
        ((n,),) = portal.query(
            "SELECT count(*) FROM registry_auditevent WHERE action = 'rollout.pause' AND object_id = %s",
            str(resting.rollout["id"]),
        )
        return int(n)

    before, key = paused(), uuid.uuid4().hex
    answers = [alice.post(f"{resting.path}/pause", {"reason": "twice"}, Idempotency_Key=key) for _ in range(2)]
    assert [answer.status for answer in answers] == [200, 200]
    assert answers[0].body == answers[1].body
    assert paused() == before + 1
    other = alice.post(f"{resting.path}/pause", {"reason": "another"}, Idempotency_Key=key)
    assert (other.status, other.error["code"]) == (409, "idempotency_key_reused")
    assert alice.post(f"{resting.path}/resume", {"reason": "a test"}).status == 200


def test_controller_killed__abort_works_without_it_and_the_next_one_goes_on(portal: Portal, alice: Client) -> None:
    goes_on, taken_back = (alice.serve(f"rolls-{name}", STABLE, SAME) for name in ("goes-on", "taken-back"))
    plan = {"preset": "canary", "stages": [{"weight_bp": 5_000, **QUICK}], "holdback": HOLDBACK}
    with Callers(alice, goes_on, RATE) as callers:
        story, other = begin(alice, goes_on, plan), begin(alice, taken_back, plan)
        for one in (story, other):
            assert follow(alice, one, ("canary",)) == "canary"
        (beat,) = portal.children("celery", "beat")
        beat.kill()
        beat.wait(10)
        aborted = _abort(alice, other)
        portal.wait_until(lambda: portal.children("celery", "beat"), 60, "another beat")
        follow(alice, story)
    assert (aborted.status, aborted.body["state"]) == (200, "aborted")
    assert live_versions(alice, taken_back) == [(1, 10_000)]
    assert story.rollout["state"] == "promoted", story.rollout
    assert {one.status for one in callers.seen} == {200}
    assert live_versions(alice, goes_on) == [(2, 10_000)]
    follow(alice, other)
    for one in (story, other):
        check_history(one)
    _replays(portal, story.rollout["id"], other.rollout["id"])


def _abort(alice: Client, story: Story) -> Answer:
    return alice.post(f"{story.path}/abort", {"reason": "nobody judges it"})
