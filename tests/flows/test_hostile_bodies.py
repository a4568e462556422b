"""Bodies made to break the prediction path, sent to a running portal: each is refused with a sentence, and the next
request is answered, on the same connection and on a new one.
"""

from __future__ import annotations

import http.client
import json
import os
import random
from collections import Counter
from collections.abc import Iterator

import pytest

from tests import graphs, hostile_bodies
from tests.flows.portal import Client, Portal
from tests.inference.protocol import hostile_binary
from tests.inference.protocol.mutants import IRIS, SEEDS, mutant

SLUG = "hostile-bodies"
# The whole 10 000 take a minute; the suite takes some of them, others each time that the dice say so.
N_MUTANTS = int(os.environ.get("HOSTILE_MUTANTS", "600"))
PATHS = {"infer": f"/v2/models/{SLUG}/infer", "predict": f"/v1/models/{SLUG}:predict"}


class Wire:
    """One kept connection, as an app would use it; `http.client` changes nothing about a request."""

    def __init__(self, portal: Portal, client: Client) -> None:
        self._portal = portal
        self._headers = {"Authorization": f"Bearer {client.token}"}
        self._connection = self._connect()

    def _connect(self) -> http.client.HTTPConnection:
        return http.client.HTTPConnection("127.0.0.1", self._portal.port, timeout=30)

    def send(self, verb: str, headers: dict[str, str], content: bytes) -> tuple[int, bytes]:
        return self._send(self._connection, verb, headers, content)

    def send_anew(self, content: bytes) -> int:
        connection = self._connect()
        status, _body = self._send(connection, "infer", {}, content)
        connection.close()
        return status

    def _send(
        self, connection: http.client.HTTPConnection, verb: str, headers: dict[str, str], content: bytes
    ) -> tuple[int, bytes]:
        sent = {name: value for name, value in headers.items() if value or name != hostile_binary.ENCODING}
        connection.request("POST", PATHS[verb], content, {**self._headers, **sent})
        response = connection.getresponse()
        return response.status, response.read()

    def close(self) -> None:
        self._connection.close()


@pytest.fixture(scope="module")
def wire(portal: Portal, alice: Client) -> Iterator[Wire]:
    alice.serve(SLUG, graphs.classifier(p="p"))
    made = Wire(portal, alice)
    yield made
    made.close()


def requests() -> Iterator[tuple[str, str, dict[str, str], bytes, tuple[int, str] | None]]:
    """Name, verb, headers, body, and the status and code that it has to get; None for mutants, which may be right."""
    for number, (content, code) in enumerate(hostile_bodies.HOSTILE):
        yield f"json {number}", "infer", {}, content, (400, code)
    for hostile in hostile_binary.HOSTILE:
        if all(value.isascii() for value in hostile.headers.values()):
            yield hostile.name, hostile.verb, hostile.headers, hostile.body, (hostile.status, hostile.code)
    dice = random.Random()
    seeds = [seed for seed in SEEDS if seed.signature == IRIS]
    for turn in range(N_MUTANTS):
        request = mutant(seeds[turn % len(seeds)], dice)
        yield f"mutant {request.headers} {request.content[:300]!r}", *request[:3], None


def test_hostile_bodies__each__refused_and_the_next_request_is_answered(wire: Wire) -> None:
    wrong, seen = [], Counter[int]()
    for name, verb, headers, content, wanted in requests():
        status, answer = wire.send(verb, headers, content)
        seen[status] += 1
        if wanted is None:
            fine = status == 200 or (400 <= status < 500 and is_sentence(answer))
        else:
            fine = is_sentence(answer) and (status, json.loads(answer)["code"]) == wanted
        again = wire.send("infer", {}, hostile_bodies.GOOD)[0]
        anew = wire.send_anew(hostile_bodies.GOOD)
        if not fine or (again, anew) != (200, 200):
            wrong.append((name, status, answer[:300], again, anew))
    assert wrong == []
    assert sum(seen.values()) > 290 + N_MUTANTS - 20
    assert max(seen) < 500


def is_sentence(answer: bytes) -> bool:
    document = json.loads(answer)
    return set(document) == {"error", "code", "request_id"} and 10 < len(document["error"]) < 400
