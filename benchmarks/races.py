"""Three persons and the controller at one rollout at the same moment, each race on a rollout of its own."""

from __future__ import annotations

import json
import random
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple

import candidates
from callers import ENDED, body, follow, upload
from harness import Client, Portal
from rollout_checks import events_of, history_faults, traffic_faults
from servers import serve

VERBS = ("abort", "promote", "advance")
PERSONS = ("anna", "ben", "carla")
PEOPLE = """
from registry.models import Membership, Project, User
for name in {names}:
    user = User.objects.create_user(name, password="a-long-passw0rd")
    Membership.objects.create(project=Project.objects.get(slug="default"), user=user, role="operator")
"""
STAGE = {"bake_seconds": 3600, "n_min": 1_000_000, "delta": 0.01}
PLAN = {"preset": "canary", "stages": [{"weight_bp": weight, **STAGE} for weight in (5_000, 7_500)], "replay": False}
GOOD, FAILS = 2, 3


class Race(NamedTuple):
    """`won` names the verb, or the controller; `statuses` are of the three answers, `codes` those of the losers."""

    rollout: int
    won: str
    statuses: tuple[int, ...]
    codes: tuple[str, ...]
    faults: list[str]


def operators(portal: Portal) -> list[str]:
    portal.manage("shell", "-v", "0", "-c", PEOPLE.format(names=PERSONS))
    scopes = [word for scope in ("read", "predict", "deploy") for word in ("--scope", scope)]
    return [portal.manage("create_token", "--user", who, "--name", "races", *scopes).split()[-1] for who in PERSONS]


def run_races(portal: Portal, n: int, n_lanes: int) -> list[Race]:
    tokens = operators(portal)
    shares = [len(range(lane, n, n_lanes)) for lane in range(n_lanes)]
    with ThreadPoolExecutor(n_lanes) as pool:
        lanes = [pool.submit(_lane, portal, tokens, f"race-{lane}", share) for lane, share in enumerate(shares)]
        return [race for lane in lanes for race in lane.result()]


def _lane(portal: Portal, tokens: list[str], slug: str, n: int) -> list[Race]:
    client, persons = portal.client(), [Client(portal.port, token) for token in tokens]
    serve(client, slug, candidates.adding())
    for content in (candidates.adding(1), candidates.refusing(0)):
        upload(client, slug, content)
    races = []
    for number in range(n):
        races.append(_race(client, persons, slug, harmful=number % 2 == 1))
        if races[-1].faults:
            break
    return races


def _race(client: Client, persons: list[Client], slug: str, *, harmful: bool) -> Race:
    """In every other race the candidate fails, so that the controller wants to take it back just then."""
    live = int(client.call("GET", f"/api/v1/endpoints/{slug}").json()["live_split"]["shares"][0]["version"])
    candidate = FAILS if harmful else GOOD if live == 1 else 1
    if live == FAILS:
        client.call("POST", f"/api/v1/endpoints/{slug}/promote", {"version": 1, "reason": "race"})
        candidate = FAILS if harmful else GOOD
    plan = {"candidate": candidate, "reason": "race", "force": True, **PLAN}
    rollout = client.call("POST", f"/api/v1/endpoints/{slug}/rollouts", plan).json()
    while rollout["state"] == "validating":
        time.sleep(0.02)
        rollout = client.call("GET", f"/api/v1/rollouts/{rollout['id']}").json()
    if harmful:
        _fail(client, slug)
        time.sleep(random.random() * 0.5)
        rollout = client.call("GET", f"/api/v1/rollouts/{rollout['id']}").json()
    answers = _at_once(persons, rollout)
    return _judged(client, rollout, answers)


def _fail(client: Client, slug: str, n: int = 30) -> None:
    for _ in range(n):
        _ask(client, f"/v2/models/{slug}/infer", body(1.0))


def _at_once(persons: list[Client], rollout: dict[str, Any]) -> list[tuple[int, str]]:
    """(status, code) for each verb; all of them saw the same state."""
    gate, path = threading.Barrier(len(VERBS)), f"/api/v1/rollouts/{rollout['id']}"
    seen = {"If-Match": f'"{rollout["lock_version"]}"'}

    def act(verb: str, person: Client) -> tuple[int, str]:
        said = {"reason": verb} if verb == "abort" else {"reason": verb, "force": True}
        gate.wait()
        status, answer = _ask(person, f"{path}/{verb}", json.dumps(said), seen)
        return status, answer.get("error", {}).get("code", "") if status != 200 else ""

    with ThreadPoolExecutor(len(VERBS)) as pool:
        return list(pool.map(act, VERBS, persons))


def _ask(client: Client, path: str, content: str, headers: dict[str, str] | None = None) -> tuple[int, Any]:
    sent = {**client.headers, "Content-Type": "application/json", **(headers or {})}
    client.connection.request("POST", path, content, sent)
    response = client.connection.getresponse()
    return response.status, json.loads(response.read())


def _judged(client: Client, seen: dict[str, Any], answers: list[tuple[int, str]]) -> Race:
    rollout = _ended(client, seen["id"])
    events = events_of(rollout)
    nexts = [event for event in events if event["number"] == seen["lock_version"] + 1]
    by_person = [event["event"].removesuffix("ed") for event in nexts if event["actor_name"] in PERSONS]
    winners = [verb for verb, (status, _code) in zip(VERBS, answers, strict=True) if status == 200]
    faults = [*history_faults(rollout), *traffic_faults(client, rollout)]
    if winners != by_person or len(nexts) > 1:
        faults.append(f"rollout {seen['id']}: answered {answers}, written {nexts}")
    if any(status not in (200, 409) for status, _code in answers):
        faults.append(f"rollout {seen['id']}: answered {answers}")
    codes = tuple(code for status, code in answers if status != 200)
    won = winners[0] if winners else "the controller"
    return Race(seen["id"], won, tuple(status for status, _code in answers), codes, faults)


def _ended(client: Client, number: int) -> dict[str, Any]:
    """Whoever won with `advance` left it running."""
    rollout = follow(client, number, 0)
    while rollout["state"] not in ENDED:
        if rollout["state"] != "rolling_back":
            _ask(client, f"/api/v1/rollouts/{number}/abort", json.dumps({"reason": "tidy up"}))
        rollout = follow(client, number, 1)
    return rollout
