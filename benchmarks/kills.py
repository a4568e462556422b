"""Rollouts one after the other on several endpoints, while their controller is killed again and again."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import subprocess
import threading
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple

import candidates
import psutil
from callers import ENDED, Callers, follow, upload
from harness import Portal
from rollout_checks import history_faults, replay_faults, traffic_faults
from servers import serve

RATE = 30.0
MOST_SECONDS = 300.0
PLAN = {
    "preset": "canary",
    "stages": [{"weight_bp": weight, "bake_seconds": 1, "n_min": 5, "delta": 0.4} for weight in (2_000, 5_000)],
    "holdback": {"seconds": 1, "n_min": 1},
}
# One after the other, each as soon as the one before it is dead; Django is loaded once.
CONTROLLERS = """
import os, threading
from django.db import connections
from inference.rollouts import controller
connections.close_all()
while True:
    child = os.fork()
    if not child:
        controller.run(threading.Event())
    print(child, flush=True)
    os.waitpid(child, 0)
"""


class Killed(NamedTuple):
    """`ends` counts rollouts by how they ended, `states` where they stood when a controller was killed."""

    n_kills: int
    ends: Counter[str]
    states: Counter[str]
    faults: list[str]


class Controllers:
    """In place of the one in `beat`, which `up` waits longer and longer to start again the more often it dies."""

    def __init__(self, portal: Portal) -> None:
        self._beat = _frozen_beat(portal)
        command = [portal.python, "manage.py", "shell", "-v", "0", "-c", CONTROLLERS]
        self._parent = subprocess.Popen(
            command,
            cwd=portal.root,
            env=portal.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        self._next()

    def _next(self) -> None:
        assert self._parent.stdout is not None
        self._now = int(self._parent.stdout.readline())

    def kill(self) -> None:
        os.kill(self._now, signal.SIGKILL)
        self._next()

    def end(self) -> None:
        self._parent.kill()
        self._parent.wait()
        os.kill(self._now, signal.SIGKILL)
        self._beat.resume()


def _frozen_beat(portal: Portal) -> psutil.Process:
    """A fresh one, stopped before it has opened its first connection: it can hold no lock."""
    (old,) = _beats(portal)
    old.kill()
    while not (fresh := [beat for beat in _beats(portal) if beat.pid != old.pid]):
        time.sleep(0.005)
    fresh[0].suspend()
    return fresh[0]


def _beats(portal: Portal) -> list[psutil.Process]:
    found = []
    for child in psutil.Process(portal.process.pid).children(recursive=True) if portal.process else []:
        with contextlib.suppress(psutil.Error):
            if {"celery", "beat"} <= {word.rpartition("/")[2] for word in child.cmdline()}:
                found.append(child)
    return found


def run_kills(portal: Portal, n_kills: int, n_lanes: int) -> Killed:
    controllers, done, states = Controllers(portal), threading.Event(), Counter[str]()
    with ThreadPoolExecutor(n_lanes) as pool:
        lanes = [pool.submit(_lane, portal, f"kill-{lane}", done) for lane in range(n_lanes)]
        try:
            for number in range(n_kills):
                # A controller looks at once when it begins: every other kill falls into that look or shortly after.
                time.sleep(random.uniform(0.02, 0.5) if number % 2 else random.uniform(0.5, 3.0))
                states.update(_states(portal))
                controllers.kill()
        finally:
            done.set()
            found = [item for lane in lanes for item in lane.result()]
            controllers.end()
    faults = [fault for _rollout, lane_faults in found for fault in lane_faults]
    rollouts = [rollout for rollout, _faults in found]
    faults += replay_faults(portal, [rollout["id"] for rollout in rollouts])
    return Killed(n_kills, Counter(rollout["state"] for rollout in rollouts), states, faults)


def _states(portal: Portal) -> Iterator[str]:
    for rollout in portal.client().call("GET", "/api/v1/endpoints").json()["results"]:
        if rollout["slug"].startswith("kill-"):
            yield _newest(portal, rollout["slug"])


def _newest(portal: Portal, slug: str) -> str:
    found = portal.client().call("GET", f"/api/v1/endpoints/{slug}/rollouts").json()["results"]
    return str(found[0]["state"]) if found else "none"


def _lane(portal: Portal, slug: str, done: threading.Event) -> list[tuple[dict[str, Any], list[str]]]:
    """Good and bad candidates in turns, until `done`."""
    client = portal.client()
    serve(client, slug, candidates.adding())
    found = []
    with Callers(portal, slug, RATE, n_threads=2):
        number = 0
        while not done.is_set():
            number += 1
            content = candidates.adding(number) if number % 2 else candidates.refusing(300, number)
            plan = {"candidate": upload(client, slug, content), "reason": "kills", **PLAN}
            rollout = client.call("POST", f"/api/v1/endpoints/{slug}/rollouts", plan).json()
            rollout = follow(client, rollout["id"], MOST_SECONDS)
            if rollout["state"] not in ENDED:
                return [*found, (rollout, [f"rollout {rollout['id']}: still {rollout['state']}"])]
            found.append((rollout, [*history_faults(rollout), *traffic_faults(client, rollout)]))
    return found
