"""A rollout in a real browser: planned with the form, watched without a reload, taken back with one press."""

from __future__ import annotations

import re

from playwright.sync_api import Page, expect

from tests import graphs
from tests.browser.conftest import Open
from tests.browser.test_pages import FAULTS
from tests.browser.test_serving_story import LIVE_MS, calls
from tests.flows.portal import Client

# Loading everywhere and the first batch of evidence, on a busy machine.
BEGIN_MS = 60_000


def test_rollout__through_the_browser__is_started_watched_paused_and_taken_back(visit: Open, api: Client) -> None:
    slug = api.serve("rolled-out", graphs.add_constant(10.0), graphs.add_constant(20.0))
    here = visit()
    page = here.sign_in()
    with calls(api, slug):
        here.go(f"/endpoints/{slug}")
        page.get_by_role("link", name="Start a rollout").click()
        plan(page)
        watch(page)
        pause_and_resume(page)
        take_back(page)
    here.go("/rollouts?q=rolled-out")
    expect(page.get_by_role("table", name="Rollouts").get_by_text("Aborted")).to_be_visible()


def plan(page: Page) -> None:
    """The forecast follows the preset without a reload, and so do the stages."""
    page.evaluate("window.stayed = true")
    page.get_by_role("combobox", name="Candidate").select_option("2")
    page.get_by_label("Why").fill("better recall")
    page.get_by_text("Low traffic", exact=True).click()
    expect(page.get_by_role("table", name="Forecast").get_by_role("row")).to_have_count(4)
    page.get_by_label("Stages, shadow, hold-back").check()
    share = page.get_by_label("Share of stage 1")
    expect(share).to_have_value("10")
    share.fill("20")
    share.blur()
    expect(page.get_by_role("table", name="Forecast").get_by_role("row").nth(1)).to_contain_text("20\u202f%")
    expect(page.get_by_label("Why")).to_have_value("better recall")
    assert page.evaluate("window.stayed") is True
    assert page.evaluate(FAULTS) == []
    page.get_by_role("button", name="Start the rollout").click()
    expect(page.get_by_role("heading", name=re.compile("rolled-out: v1 → v2"))).to_be_visible()


def watch(page: Page) -> None:
    """The page follows by itself: first the stage, then what was counted in it."""
    page.evaluate("window.stayed = true")
    expect(page.locator(".page-title .badge")).to_have_text("Canary at 20\u202f%", timeout=BEGIN_MS)
    card = page.get_by_role("region", name="Errors")
    expect(card.get_by_role("row").filter(has_text="requests")).to_contain_text(re.compile("[1-9]"), timeout=LIVE_MS)
    expect(page.locator("#rollout [aria-current=step]")).to_contain_text("of 100 requests")
    assert page.evaluate("window.stayed") is True
    assert page.evaluate(FAULTS) == []


def pause_and_resume(page: Page) -> None:
    for act, state in (("Pause", "Paused"), ("Resume", "Canary")):
        page.locator(f"#act-{act.lower()}").click()
        dialog = page.get_by_role("dialog")
        dialog.get_by_label("Why").fill("a look")
        dialog.get_by_role("button", name=act).click()
        expect(page.locator(".page-title .badge")).to_have_text(f"{state} at 20\u202f%")


def take_back(page: Page) -> None:
    page.locator("#act-abort").click()
    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text("stable v1 · 100\u202f%")
    dialog.get_by_label("Why").fill("enough")
    dialog.get_by_role("button", name="Roll back").click()
    expect(page.locator(".page-title .badge")).to_have_text("Aborted")
    expect(page.locator("#rollout .notice")).to_contain_text("Rolling back took")
    expect(page.locator(".event-log")).to_contain_text("enough")
    assert page.evaluate(FAULTS) == []
