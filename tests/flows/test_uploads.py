"""A large file in parts through real processes: a worker killed mid-part, everything killed, and gone on with."""

from __future__ import annotations

import base64
import hashlib
import http.client
import os
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import psutil
import pytest

from tests import graphs
from tests.flows.portal import ALL_SCOPES, Answer, Client, Portal, running

PART = 1 << 20
N_PARTS = 24
SEED = os.urandom(1 << 16)


def content(n_bytes: int) -> bytes:
    return (SEED * (n_bytes // len(SEED) + 1))[:n_bytes]


DATA = content(N_PARTS * PART - 777)


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Portal]:
    with running(tmp_path_factory.mktemp("uploads") / "data") as started:
        yield started


@pytest.fixture(scope="module")
def sender(own: Portal) -> Client:
    return own.client(own.create_token("admin", *ALL_SCOPES))


def begun(client: Client, data: bytes = DATA, **wish: Any) -> str:
    answer = client.post("/api/v1/uploads", {"size": len(data), "part_size": PART, "file_name": "big.onnx", **wish})
    assert answer.status == 201, answer
    return f"/api/v1/uploads/{answer.body['id']}"


def send(client: Client, path: str, number: int, data: bytes = DATA) -> Answer:
    part = data[(number - 1) * PART : number * PART]
    digest = base64.b64encode(hashlib.sha256(part).digest()).decode()
    return client.call("PUT", f"{path}/parts/{number}", part, {"Content-Digest": f"sha-256=:{digest}:"})


def there(client: Client, path: str) -> list[int]:
    return [part["number"] for part in client.get(path).body["parts"]]


def half_a_part(own: Portal, client: Client, path: str, number: int) -> http.client.HTTPConnection:
    """A caller who has sent half of a part and goes on thinking."""
    connection = http.client.HTTPConnection("127.0.0.1", own.port, timeout=30)
    connection.putrequest("PUT", f"{path}/parts/{number}")
    connection.putheader("Authorization", f"Bearer {client.token}")
    connection.putheader("Content-Length", str(PART))
    connection.endheaders(DATA[(number - 1) * PART : (number - 1) * PART + PART // 2])
    return connection


def web(own: Portal) -> list[psutil.Process]:
    """gunicorn's workers, without its master."""
    return own.children("gunicorn")[1:]


def strays(own: Portal) -> list[str]:
    return [path.name for path in (own.data / "artifacts" / "incoming").glob("*")]


def test_upload__parallel_over_two_processes__whole_and_validated(own: Portal, sender: Client) -> None:
    path = begun(sender, sha256=hashlib.sha256(DATA).hexdigest())
    with ThreadPoolExecutor(6) as pool:
        answers = list(pool.map(lambda number: send(sender, path, number), reversed(range(1, N_PARTS + 1))))
    assert [answer.status for answer in answers] == [200] * N_PARTS
    with ThreadPoolExecutor(2) as pool:
        ends = list(pool.map(lambda _: sender.post(f"{path}/complete"), range(2)))
    assert [(end.status, end.body["sha256"]) for end in ends] == [(200, hashlib.sha256(DATA).hexdigest())] * 2
    sender.post("/api/v1/models", {"name": "noise"})
    made = sender.post("/api/v1/models/noise/versions", {"upload": path.rpartition("/")[2]})
    assert (made.status, made.body["size"]) == (202, len(DATA))
    assert sender.version("noise", 1)["status"] == "rejected"
    assert strays(own) == []


def test_part__its_process_killed__the_rest_stays_and_the_part_is_sent_again(own: Portal, sender: Client) -> None:
    path = begun(sender)
    for number in (1, 2, 3):
        assert send(sender, path, number).status == 200
    waiting = [half_a_part(own, sender, path, number) for number in (4, 5, 6, 7)]
    time.sleep(0.5)
    before = {process.pid for process in web(own)}
    for process in web(own):
        process.kill()
    for connection in waiting:
        with pytest.raises((OSError, http.client.HTTPException)):
            connection.getresponse()
        connection.close()
    own.wait_until(lambda: len({process.pid for process in web(own)} - before) == 2, 30, "new processes")
    own.wait_until(lambda: sender_is_back(sender), 30, "answer")
    assert there(sender, path) == [1, 2, 3]
    with ThreadPoolExecutor(4) as pool:
        statuses = list(pool.map(lambda number: send(sender, path, number).status, range(1, N_PARTS + 1)))
    assert statuses == [200] * N_PARTS
    assert sender.post(f"{path}/complete").body["sha256"] == hashlib.sha256(DATA).hexdigest()
    assert sender.call("DELETE", path).status == 204
    assert strays(own) == []


def sender_is_back(client: Client) -> bool:
    try:
        return client.get("/api/v1/uploads").status == 200
    except Exception:
        return False


def test_upload__everything_killed_in_the_middle__goes_on_after_the_next_start(own: Portal, sender: Client) -> None:
    path = begun(sender)
    ended = threading.Event()
    sent: list[int] = []

    def work(first: int) -> None:
        for number in range(first, N_PARTS + 1, 3):
            if ended.is_set():
                return
            try:
                if send(sender, path, number).status == 200:
                    sent.append(number)
            except Exception:
                return

    threads = [threading.Thread(target=work, args=(first,)) for first in (1, 2, 3)]
    for thread in threads:
        thread.start()
    own.wait_until(lambda: len(sent) >= 5, 30, "parts")
    own.kill()
    ended.set()
    for thread in threads:
        thread.join()
    own.start()
    kept = there(sender, path)
    assert set(sent) <= set(kept)
    for number in sorted(set(range(1, N_PARTS + 1)) - set(kept)):
        assert send(sender, path, number).status == 200
    assert sender.post(f"{path}/complete").body["sha256"] == hashlib.sha256(DATA).hexdigest()
    assert sender.call("DELETE", path).status == 204
    assert strays(own) == []


def test_part__two_at_once_with_other_bytes__one_stands(own: Portal, sender: Client) -> None:
    path = begun(sender)
    with ThreadPoolExecutor(8) as pool:
        parts = [bytes([65 + number]) * PART for number in range(8)]
        answers = list(pool.map(lambda part: sender.call("PUT", f"{path}/parts/1", part), parts))
    assert sorted(answer.status for answer in answers) == [200, *[409] * 7]
    assert {answer.error["code"] for answer in answers if answer.status == 409} == {"part_differs"}
    (won,) = [answer.body["sha256"] for answer in answers if answer.status == 200]
    assert won in {hashlib.sha256(part).hexdigest() for part in parts}
    assert sender.get(path).body["parts"] == [{"number": 1, "sha256": won, "size": PART}]
    sender.call("DELETE", path)


def test_upload__a_model__serves(own: Portal, sender: Client) -> None:
    data = graphs.add_constant(30.0)
    path = begun(sender, data)
    assert send(sender, path, 1, data).status == 200
    assert sender.post(f"{path}/complete").status == 200
    sender.post("/api/v1/models", {"name": "thirty"})
    assert sender.post("/api/v1/models/thirty/versions", {"upload": path.rpartition("/")[2]}).status == 202
    assert sender.version("thirty", 1)["status"] == "ready"
    sender.post("/api/v1/endpoints", {"slug": "thirty", "model": "thirty"})
    sender.promote("thirty", 1)
    assert sender.infer("thirty", [[1, 2, 3, 4]]).body["outputs"][0]["data"] == [31, 32, 33, 34]


def test_upload__web_memory__stays_as_it_is(own: Portal, sender: Client) -> None:
    """300 MB in parts of 16 MB, three at a time: far less than one of them may stay in memory."""
    size, part_size = 300 << 20, 16 << 20
    block = content(part_size)
    path = begun(sender, b"x" * 10, size=size, part_size=part_size)
    sender.call("PUT", f"{path}/parts/1", block)
    before = sum(process.memory_info().rss for process in web(own))
    peak = [0]
    ended = threading.Event()

    def watch() -> None:
        while not ended.wait(0.01):
            peak[0] = max(peak[0], sum(process.memory_info().rss for process in web(own)) - before)

    watcher = threading.Thread(target=watch)
    watcher.start()
    numbers = range(2, size // part_size + 1)
    try:
        with ThreadPoolExecutor(3) as pool:
            sent = pool.map(
                lambda n: sender.call("PUT", f"{path}/parts/{n}", block[: size - (n - 1) * part_size]), numbers
            )
            assert {answer.status for answer in sent} == {200}
        sender.call("PUT", f"{path}/parts/{size // part_size + 1}", block[: size % part_size])
        assert sender.post(f"{path}/complete").status == 200
    finally:
        ended.set()
        watcher.join()
    sender.call("DELETE", path)
    assert peak[0] < part_size
