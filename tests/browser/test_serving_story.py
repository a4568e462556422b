"""Watching what serves: live traffic without a reload, the processes, a release, the settings of an endpoint."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

from playwright.sync_api import Page, expect

from tests import graphs
from tests.browser.conftest import Open
from tests.flows.portal import Client, Portal

KILL = """
import time
from inference.quarantine.services import record_death
from inference.runtime.deaths import Death
from registry.models import ModelVersion
sha256 = ModelVersion.objects.get(model__name="unwell", number=1).sha256
for n in (1, 2):
    record_death(Death(f"unwell-{n}", sha256, "crashed", "SIGSEGV", True, 4711, time.time()))
"""
DURATION = re.compile(r"^\d.*(µs|ms|s)$")
SOME_RATE = re.compile(r"^[1-9]|^0\.[0-9]*[1-9]")
# Counts are flushed every two seconds, and the panel asks every two: on a busy machine it takes a while.
LIVE_MS = 30_000


@contextmanager
def calls(api: Client, slug: str) -> Iterator[None]:
    """A steady trickle that leaves the machine to the browser."""
    ending = threading.Event()

    def send() -> None:
        while not ending.wait(0.02):
            api.infer(slug, [[1, 2, 3, 4]])

    thread = threading.Thread(target=send)
    thread.start()
    try:
        yield
    finally:
        ending.set()
        thread.join()


def test_serving__watched_through_the_browser__shows_what_runs_and_is_governed(
    visit: Open, api: Client, site: Portal
) -> None:
    api.serve("watched", graphs.add_constant(10.0), graphs.add_constant(20.0))
    api.split("watched", stable=(1, 8000), canary=(2, 2000))
    with ThreadPoolExecutor() as beside, calls(api, "watched"):
        api.register("unwell", graphs.add_constant(4711.0))
        killed = beside.submit(site.manage, "shell", "-v", "0", "-c", KILL)
        here = visit()
        page = here.sign_in()
        here.go("/endpoints/watched")
        live_traffic(page)
        settings(page)
        killed.result()
    here.go("/serving")
    processes(page)
    release(page)
    out_of_service_and_back(page, api)


def live_traffic(page: Page) -> None:
    """The panel fills while the page stands: what was ticked and focused stays so."""
    page.evaluate("window.stayed = true")
    for key, version in (("stable", 1), ("canary", 2)):
        cells = page.get_by_role("row").filter(has=page.locator(f"#live-{key}-{version}")).get_by_role("cell")
        expect(cells.nth(1)).to_have_text(SOME_RATE, timeout=LIVE_MS)
        for quantile in (4, 5, 6):
            expect(cells.nth(quantile)).to_have_text(DURATION, timeout=LIVE_MS)
    page.get_by_label("Show as table").check()
    page.locator("#live-stable-1").focus()
    with page.expect_response(lambda answer: "/watched/live" in answer.url and answer.status == 200):
        pass
    expect(page.locator("#live-stable-1")).to_be_focused()
    expect(page.get_by_label("Show as table")).to_be_checked()
    expect(page.locator(".chart-table")).to_be_visible()
    assert page.evaluate("window.stayed") is True


def settings(page: Page) -> None:
    page.get_by_role("link", name="Settings…").click()
    dialog = page.get_by_role("dialog", name="Settings of watched")
    dialog.get_by_label("Description").fill("looked after")
    deadline = dialog.get_by_label("Deadline")
    # Past the browser's own check, as an older browser or a script would send it.
    deadline.evaluate("(input) => { input.removeAttribute('max'); input.form.noValidate = true; }")
    deadline.fill("600001")
    dialog.get_by_role("button", name="Save").click()
    expect(dialog.get_by_role("alert")).to_contain_text("600000")
    expect(deadline).to_have_value("600001")
    expect(dialog.get_by_label("Description")).to_have_value("looked after")
    deadline.fill("2500")
    dialog.get_by_role("button", name="Save").click()
    expect(page.locator(".notice.is-good")).to_contain_text("Saved.")
    expect(page.locator(".aside .facts")).to_contain_text("2.5\u202fs")
    expect(page.locator(".aside .prose")).to_have_text("looked after")


def processes(page: Page) -> None:
    expect(page.get_by_role("table", name="Processes").get_by_text("Serving")).to_have_count(2)
    row = page.get_by_role("table", name="Loaded versions").get_by_role("row").filter(has_text="watched\u00a0v1")
    expect(row).to_contain_text("watched 80\u202f%")
    expect(row).to_contain_text("2 of 2")
    head = page.locator("#sort-runs")
    head.focus()
    with page.expect_response(re.compile("/serving/live")):
        pass
    expect(head).to_be_focused()


def release(page: Page) -> None:
    article = page.get_by_role("article").filter(has_text="unwell v1")
    expect(article).to_contain_text("crashed (SIGSEGV)")
    article.get_by_role("link", name="Release…").click()
    dialog = page.get_by_role("dialog", name="Release unwell v1")
    dialog.get_by_label("Why").fill("other memory")
    dialog.get_by_role("button", name="Release").click()
    expect(page.locator(".notice.is-good")).to_contain_text("“unwell v1” is released.")
    expect(article).to_have_count(0)


def out_of_service_and_back(page: Page, api: Client) -> None:
    page.get_by_role("link", name="Endpoints", exact=True).click()
    page.get_by_role("link", name="watched", exact=True).first.click()
    page.get_by_role("link", name="Take out of service…").click()
    page.get_by_role("dialog").get_by_label("Why").fill("it answers oddly")
    page.get_by_role("button", name="Take out of service").click()
    expect(page.locator(".page-title .badge")).to_have_text("Out of service")
    assert api.infer("watched", [[1, 2, 3, 4]]).status == 503
    page.get_by_role("link", name="Put back into service…").click()
    page.get_by_role("dialog").get_by_label("Why").fill("looked at")
    page.get_by_role("button", name="Put back into service").click()
    expect(page.locator(".page-title .badge")).to_have_text("Split")
    assert api.infer("watched", [[1, 2, 3, 4]]).status == 200
