"""Large files dropped on the page: a server that restarts, a tab that is closed, a model with its data file."""

from __future__ import annotations

import re
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import helper
from playwright.sync_api import BrowserContext, Page, Playwright, Route, expect

from tests import graphs
from tests.browser.conftest import CHROMIUM, NAMES, SWITCHES, WIDE, Visit
from tests.flows.portal import ALL_SCOPES, Client, Portal, running

MB = 1_000_000
# What a browser says of a server that is not there for a while.
AWAY = re.compile(r"net::ERR_(CONNECTION|EMPTY|SOCKET|INCOMPLETE|ABORTED)")


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Portal]:
    """One that may be stopped under the feet of its visitors."""
    with running(tmp_path_factory.mktemp("uploads") / "data") as started:
        yield started


@pytest.fixture(scope="module")
def sender(own: Portal) -> Client:
    return own.client(own.create_token("admin", *ALL_SCOPES))


@pytest.fixture
def here(playwright: Playwright, own: Portal, tmp_path: Path) -> Iterator[Visit]:
    context = playwright.chromium.launch_persistent_context(
        tmp_path / "profile",
        executable_path=CHROMIUM,
        args=[*SWITCHES, NAMES.format(port=own.port)],
        viewport=WIDE,
    )
    seen = Visit(context, own.url)
    yield seen
    context.close()
    assert [complaint for complaint in seen.complaints if not AWAY.search(complaint)] == []
    assert seen.outside == []


def weights(n_bytes: int) -> np.ndarray[Any, Any]:
    return np.random.default_rng(5).random((n_bytes // 16, 4), dtype=np.float32)


def large_model(folder: Path, n_bytes: int, data_file: str = "") -> Path:
    """y = x + the first row of a table of `n_bytes`, which lies in a file of its own where that has a name."""
    nodes = [helper.make_node("Gather", ["W", "first"], ["row"]), helper.make_node("Add", ["x", "row"], ["y"])]
    table = graphs.constant("W", weights(n_bytes))
    made = graphs.model(
        nodes, [graphs.value("x")], [graphs.value("y")], [table, graphs.constant("first", 0, dtype=np.int64)]
    )
    path = folder / "large.onnx"
    onnx.save(made, str(path), save_as_external_data=bool(data_file), location=data_file or None)
    return path


def drop(context: BrowserContext, page: Page, *files: Path) -> None:
    """What the desktop sends when files are let go over the field."""
    box = page.locator("[data-drop]").bounding_box()
    assert box is not None
    place = {"x": box["x"] + box["width"] / 2, "y": box["y"] + box["height"] / 2}
    data = {"items": [], "files": [str(file) for file in files], "dragOperationsMask": 1}
    session = context.new_cdp_session(page)
    for kind in ("dragEnter", "dragOver", "drop"):
        session.send("Input.dispatchDragEvent", {"type": kind, **place, "data": data})


def press(page: Page, name: str) -> None:
    page.get_by_label("Model", exact=True).fill(name)
    page.get_by_role("button", name="Upload and check").click()


def parts_of(client: Client) -> int:
    """How many parts of the only open upload there are."""
    found = client.get("/api/v1/uploads").body["results"]
    return int(found[0]["n_received"]) if found else 0


def wait_for_parts(page: Page, client: Client, count: int) -> None:
    end = time.monotonic() + 60
    while parts_of(client) < count:
        assert time.monotonic() < end
        page.wait_for_timeout(50)


def lose_after(page: Page, count: int) -> None:
    """No more parts than these arrive: the upload stays in its middle however fast the machine is."""
    asked: list[str] = []

    def hear(route: Route) -> None:
        asked.append(route.request.url)
        if len(asked) <= count:
            route.continue_()
        else:
            route.abort()

    page.route("**/parts/*", hear)


class Gate:
    """Lets so many parts pass; the others wait at it until it is opened."""

    def __init__(self, page: Page, count: int) -> None:
        self.left = count
        self.held: list[Route] = []
        page.route("**/parts/*", self._hear)

    def _hear(self, route: Route) -> None:
        self.left -= 1
        if self.left < 0:
            self.held.append(route)
        else:
            route.continue_()

    def open(self) -> None:
        self.left = sys.maxsize
        for route in self.held:
            route.continue_()


def test_drop__300_mb_and_the_server_restarted_in_the_middle__arrives(
    here: Visit, own: Portal, sender: Client, tmp_path: Path
) -> None:
    file = large_model(tmp_path, 300 * MB)
    page = here.sign_in()
    here.go("/models/upload")
    drop(page.context, page, file)
    expect(page.locator("[data-chosen]")).to_have_text("large.onnx · 300 MB")
    gate = Gate(page, 4)
    press(page, "dropped")
    wait_for_parts(page, sender, 4)
    expect(page.locator("[data-progress]")).to_contain_text(re.compile(r"/ 300 MB.*MB/s · \d+ s"))
    assert own.stop() == 0
    gate.open()
    expect(page.locator("[data-progress]")).to_contain_text("No connection: goes on by itself", timeout=60_000)
    own.start()
    page.wait_for_url("**/models/dropped/versions/1", timeout=120_000)
    expect(page.locator(".page-title .badge")).to_have_text("Ready", timeout=120_000)
    version = sender.version("dropped", 1)
    assert (version["size"], version["file_name"]) == (file.stat().st_size, "large.onnx")
    assert sender.get("/api/v1/uploads").body["count"] == 0


def test_drop__tab_closed_in_the_middle__same_file_again_sends_the_rest(
    here: Visit, own: Portal, sender: Client, tmp_path: Path
) -> None:
    file = large_model(tmp_path, 150 * MB)
    page = here.sign_in()
    here.go("/models/upload")
    page.set_input_files("#id_file", file)
    lose_after(page, 3)
    press(page, "again")
    wait_for_parts(page, sender, 3)
    context = page.context
    context.new_page()
    page.close()
    here.complaints.clear()  # They were about the parts that were lost.
    second = Visit(context, own.url)
    page = second.go("/models/upload")
    expect(page.get_by_role("heading", name="Unfinished uploads")).to_be_visible()
    expect(page.locator("[data-unfinished]")).to_contain_text("large.onnx")
    (waiting,) = sender.get("/api/v1/uploads").body["results"]
    kept = int(waiting["n_received"])
    sent: list[str] = []
    page.on("request", lambda request: sent.append(request.url) if request.method == "PUT" else None)
    page.set_input_files("#id_file", file)
    press(page, "again")
    page.wait_for_url("**/models/again/versions/1", timeout=60_000)
    assert (kept >= 3, len(sent)) == (True, waiting["n_parts"] - kept)
    assert second.complaints == []


def test_drop__another_file_of_the_same_name_and_size__not_mixed(here: Visit, sender: Client, tmp_path: Path) -> None:
    first, second = (tmp_path / folder / "mixed.onnx" for folder in ("a", "b"))
    for path, added in ((first, 1.0), (second, 2.0)):
        path.parent.mkdir()
        path.write_bytes(graphs.add_constant(added))
    size = first.stat().st_size
    begun = sender.post("/api/v1/uploads", {"size": size, "file_name": "mixed.onnx"}).body["id"]
    assert sender.call("PUT", f"/api/v1/uploads/{begun}/parts/1", first.read_bytes()).status == 200
    page = here.sign_in()
    here.go("/models/upload")
    page.set_input_files("#id_file", second)
    press(page, "mixed")
    page.wait_for_url("**/models/mixed/versions/1")
    expect(page.locator(".page-title .badge")).to_have_text("Ready")
    assert sender.get("/api/v1/models/mixed/versions/1/download").body == second.read_bytes()
    assert sender.get(f"/api/v1/uploads/{begun}").status == 404


def test_drop__model_and_data_file__one_version_of_both(here: Visit, sender: Client, tmp_path: Path) -> None:
    file = large_model(tmp_path, 2 * MB, "large.bin")
    page = here.sign_in()
    here.go("/models/upload")
    drop(page.context, page, tmp_path / "large.bin", file)
    press(page, "pair")
    page.wait_for_url("**/models/pair/versions/1")
    version = sender.version("pair", 1)
    assert [item["name"] for item in version["files"]] == ["large.onnx", "large.bin"]
    assert version["status"] == "ready", version["report"]


def test_upload__refused__says_why_and_offers_to_discard(here: Visit, sender: Client, tmp_path: Path) -> None:
    files = [tmp_path / "a.bin", tmp_path / "b.bin"]
    for file in files:
        file.write_bytes(b"weights")
    page = here.sign_in()
    here.go("/models/upload")
    page.set_input_files("#id_file", files)
    press(page, "nothing")
    expect(page.locator("[data-upload-errors]")).to_contain_text("no .onnx file")
    here.go("/models/upload")
    expect(page.locator("[data-unfinished]")).to_have_count(2)
    page.get_by_role("button", name="Discard").first.click()
    expect(page.locator(".notice.is-good")).to_contain_text("discarded")
    expect(page.locator("[data-unfinished]")).to_have_count(1)


def test_upload__wrong_words_in_more__said_beside_the_field_and_sent_again_without_the_file(
    here: Visit, sender: Client, tmp_path: Path
) -> None:
    file = tmp_path / "said.onnx"
    file.write_bytes(graphs.add_constant(41.0))
    page = here.sign_in()
    here.go("/models/upload")
    page.set_input_files("#id_file", file)
    expect(page.get_by_label("Metrics")).to_be_hidden()
    page.locator(".more > summary").click()
    page.get_by_label("Tags").fill("team = risk")
    page.get_by_label("Metrics").fill("auc = high")
    press(page, "said")
    expect(page.locator("#id_metrics-error")).to_contain_text("has to be a number")
    expect(page.get_by_label("Metrics")).to_be_focused()
    expect(page.get_by_label("Tags")).to_have_value("team = risk")
    page.get_by_label("Metrics").fill("auc = 0.93")
    sent: list[str] = []
    page.on("request", lambda request: sent.append(request.url) if request.method == "PUT" else None)
    page.get_by_role("button", name="Upload and check").click()
    page.wait_for_url("**/models/said/versions/1")
    version = sender.version("said", 1)
    assert (version["tags"], version["metrics"], sent) == ({"team": "risk"}, {"auc": 0.93}, [])
