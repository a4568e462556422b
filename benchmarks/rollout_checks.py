"""What has to hold for every rollout, whoever raced and whoever was killed. Each check returns what is wrong."""

from __future__ import annotations

import json
from typing import Any

from callers import ENDED
from harness import Client, Portal

REPLAY = """
import io, json
from django.core.management import CommandError, call_command
wrong = []
for number in {numbers}:
    try:
        call_command("replay_rollout", str(number), stdout=io.StringIO())
    except CommandError as error:
        wrong.append([number, str(error)])
print(json.dumps(wrong))
"""


def events_of(rollout: dict[str, Any]) -> list[dict[str, Any]]:
    """Eldest first."""
    return sorted(rollout["events"], key=lambda event: event["number"])


def history_faults(rollout: dict[str, Any]) -> list[str]:
    """Numbered without gaps, each from where the one before led, and one end."""
    events, name = events_of(rollout), f"rollout {rollout['id']}"
    faults = []
    if [event["number"] for event in events] != list(range(1, len(events) + 1)):
        faults.append(f"{name}: numbers {[event['number'] for event in events]}")
    if [event["state_from"] for event in events[1:]] != [event["state_to"] for event in events[:-1]]:
        faults.append(f"{name}: not a line {[(event['state_from'], event['state_to']) for event in events]}")
    ends = [event["state_to"] for event in events if event["state_to"] in ENDED]
    if ends != [rollout["state"]]:
        faults.append(f"{name}: ends {ends} and is {rollout['state']}")
    return faults


def traffic_faults(client: Client, rollout: dict[str, Any]) -> list[str]:
    """Right after its end: promoted means that the candidate has everything, any other end that stable has."""
    wanted = rollout["candidate"] if rollout["state"] == "promoted" else rollout["stable"]
    split = client.call("GET", f"/api/v1/endpoints/{rollout['endpoint']}").json()["live_split"]
    shares = [(share["version"], share["weight_bp"]) for share in split["shares"] if share["weight_bp"]]
    return [] if shares == [(wanted, 10_000)] else [f"rollout {rollout['id']}: {rollout['state']} and live is {shares}"]


def replay_faults(portal: Portal, numbers: list[int]) -> list[str]:
    """Every decision once more, from the ledger."""
    out = portal.manage("shell", "-v", "0", "-c", REPLAY.format(numbers=numbers))
    return [f"rollout {number}: {said}" for number, said in json.loads(out.splitlines()[-1])]
