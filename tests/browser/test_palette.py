"""Ctrl-K: names, places and acts at two keystrokes; a page of its own without script."""

from __future__ import annotations

from playwright.sync_api import expect

from tests import graphs
from tests.browser.conftest import Open
from tests.flows.portal import Client


def test_palette__opened_with_ctrl_k__goes_where_the_arrows_point(visit: Open, api: Client) -> None:
    api.serve("palette-target", graphs.add_constant(1.0))
    here = visit()
    page = here.sign_in()
    here.go("/jobs")
    page.keyboard.press("Control+k")
    field = page.get_by_role("searchbox", name="Find a model, endpoint, job or action")
    expect(field).to_be_focused()
    field.press_sequentially("palette-t")
    links = page.locator("#found a")
    expect(links).to_have_count(2)
    field.press("ArrowDown")
    field.press("ArrowDown")
    expect(links.nth(1)).to_have_class("is-chosen")
    field.press("Enter")
    page.wait_for_url("**/endpoints/palette-target")


def test_palette__escape__leaves_everything_as_it_was(visit: Open) -> None:
    here = visit()
    page = here.sign_in()
    page.keyboard.press("Control+k")
    expect(page.get_by_role("dialog")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_have_count(0)
    assert page.url == here.base + "/"


def test_find__without_script__is_a_page(visit: Open, api: Client) -> None:
    here = visit(script=False)
    page = here.sign_in()
    page.get_by_role("link", name="Find a model, endpoint, job or action").click()
    page.get_by_role("searchbox").fill("upload")
    page.get_by_role("searchbox").press("Enter")
    page.get_by_role("link", name="Upload a model").last.click()
    page.wait_for_url("**/models/upload")


def test_find__by_a_stranger__finds_no_foreign_name(visit: Open, api: Client) -> None:
    api.post("/api/v1/models", {"name": "palette-secret"})
    here = visit()
    page = here.sign_in("charlie", "a-long-passw0rd")
    here.go("/find?q=palette-secret")
    expect(page.locator("#found")).to_contain_text("Nothing is called")
