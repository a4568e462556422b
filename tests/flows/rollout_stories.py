"""Rollouts on a running portal, with callers at a steady rate who note what each request met."""

from __future__ import annotations

import contextlib
import http.cookiejar
import random
import re
import threading
import time
import urllib.parse
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NamedTuple

import urllib3

from tests.flows.portal import Client, Portal

ENDED = ("promoted", "rolled_back", "aborted", "failed_validation")
LIMIT_SECONDS = 150.0
N_THREADS = 2


class Seen(NamedTuple):
    """`began` in seconds since the epoch, as the portal's own moments are; status 0 where no answer came at all."""

    began: float
    status: int
    variant: str
    version: str


class Callers:
    """They send one row whose first value is drawn from 0 to 999, `rate` times a second in all."""

    def __init__(self, client: Client, slug: str, rate: float) -> None:
        self.seen: list[Seen] = []
        self._client, self._slug, self._gap = client, slug, N_THREADS / rate
        self._ending = threading.Event()
        self._threads = [threading.Thread(target=self._run, daemon=True) for _ in range(N_THREADS)]

    def _run(self) -> None:
        client = Client(self._client.url, self._client.token)
        due = time.monotonic() + random.random() * self._gap
        while not self._ending.wait(max(0.0, due - time.monotonic())):
            self.seen.append(self._call(client))
            # Late calls are left out instead of sent all at once.
            due = max(due + self._gap, time.monotonic())
        client.close()

    def _call(self, client: Client) -> Seen:
        began = time.time()
        try:
            answer = client.infer(self._slug, [[float(random.randrange(1000)), 1.0, 2.0, 3.0]])
        except urllib3.exceptions.HTTPError as error:
            return Seen(began, 0, type(error).__name__, "")
        headers = answer.headers
        return Seen(began, answer.status, headers.get("X-Variant", ""), headers.get("X-Model-Version", ""))

    def __enter__(self) -> Callers:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ending.set()
        for thread in self._threads:
            thread.join()


@dataclass
class Story:
    """One rollout from its creation to its end, beside all that the callers met. `settled` is a moment, in seconds
    since the epoch, at which every process had followed the last change of traffic."""

    slug: str
    rollout: dict[str, Any] = field(default_factory=dict)
    seen: list[Seen] = field(default_factory=list)
    settled: float = 0.0

    @property
    def path(self) -> str:
        return f"/api/v1/rollouts/{self.rollout['id']}"

    @property
    def events(self) -> list[dict[str, Any]]:
        """Eldest first."""
        return sorted(self.rollout["events"], key=lambda event: event["number"])

    def at(self, state: str) -> float:
        """When it came into that state for the first time, in seconds since the epoch."""
        moments = [event["at"] for event in self.events if event["state_to"] == state]
        assert moments, (state, self.events)
        return datetime.fromisoformat(moments[0]).timestamp()

    def canary(self) -> list[Seen]:
        return [one for one in self.seen if one.variant == "canary"]

    def later(self) -> list[Seen]:
        """What began when the end was everywhere."""
        return [one for one in self.seen if one.began > self.settled]


def begin(client: Client, slug: str, plan: dict[str, Any]) -> Story:
    created = client.post(f"/api/v1/endpoints/{slug}/rollouts", {"candidate": 2, "reason": "a test", **plan})
    assert created.status == 201, created
    return Story(slug, created.body)


def follow(client: Client, story: Story, until: tuple[str, ...] = ENDED) -> str:
    """The state among `until` that it came to."""
    end = time.monotonic() + LIMIT_SECONDS
    while time.monotonic() < end:
        story.rollout = dict(client.get(story.path).body)
        if story.rollout["state"] in (*until, *ENDED):
            return str(story.rollout["state"])
        time.sleep(0.25)
    raise AssertionError(f"it did not come to {until}: {story.rollout}")


def settled_at(client: Client, slug: str) -> float:
    """Waits until all processes have followed the endpoint's last change of traffic."""
    end = time.monotonic() + LIMIT_SECONDS
    while time.monotonic() < end:
        splits = client.get(f"/api/v1/endpoints/{slug}/splits").body["results"]
        last = max((one for split in splits for one in split["activations"]), key=lambda one: one["epoch"])
        if last["n_processes"] is not None and last["n_acknowledged"] == last["n_processes"]:
            return time.time()
        time.sleep(0.05)
    raise AssertionError(f"not every process followed: {last}")


def play(client: Client, slug: str, files: tuple[bytes, bytes], plan: dict[str, Any], rate: float) -> Story:
    """Serves the first file, rolls the second one out, and goes on calling for a second after the end."""
    client.serve(slug, *files)
    with Callers(client, slug, rate) as callers:
        story = begin(client, slug, plan)
        follow(client, story)
        story.settled = settled_at(client, slug)
        time.sleep(1)
    story.seen = sorted(callers.seen)
    return story


def check_history(story: Story) -> None:
    """A line: numbered without gaps, each from where the one before led, and one end at most."""
    events = story.events
    assert [event["number"] for event in events] == list(range(1, len(events) + 1))
    assert [event["state_from"] for event in events] == ["draft", *(event["state_to"] for event in events[:-1])]
    assert sum(event["state_to"] in ENDED for event in events) <= 1
    assert events[-1]["state_to"] == story.rollout["state"]


def live_versions(client: Client, slug: str) -> list[tuple[int, int]]:
    """(version, basis points) of the live split, without those that get nothing."""
    shares = client.get(f"/api/v1/endpoints/{slug}").body["live_split"]["shares"]
    return [(share["version"], share["weight_bp"]) for share in shares if share["weight_bp"]]


@contextlib.contextmanager
def signed_in(portal: Portal, user: str, password: str) -> Iterator[urllib.request.OpenerDirector]:
    """A person at the pages, with cookies."""
    jar = http.cookiejar.CookieJar()
    opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(jar))
    url = f"{portal.url}/accounts/login/"
    page = opener.open(url, timeout=30).read().decode()
    found = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', page)
    assert found, page
    form = {"login": user, "password": password, "csrfmiddlewaretoken": found[1]}
    request = urllib.request.Request(url, urllib.parse.urlencode(form).encode(), {"Referer": url})
    opener.open(request, timeout=30).read()
    yield opener
    opener.close()
