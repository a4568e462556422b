"""Every page, light and dark, wide and narrow: quiet, on this host, labelled, without a second scroll bar."""

from __future__ import annotations

import gzip
import re
from urllib.request import urlopen

import pytest
from playwright.sync_api import Page, expect

from tests import graphs
from tests.browser.conftest import Open, Visit
from tests.flows.portal import Client, Portal

NASTY = "<img src=x onerror=alert(1)> \u202eevil " + "w" * 400
MOST_COMPRESSED_BYTES = 60_000

# What axe would find first: names for controls, one h1, no doubled ids, no inline style, labelled pictures.
FAULTS = """() => {
  const faults = [];
  const name = (e) => (e.getAttribute("aria-label") || e.textContent || "").trim() || (e.labels && e.labels.length);
  for (const e of document.querySelectorAll("input:not([type=hidden]), select, textarea"))
    if (!e.labels.length && !e.getAttribute("aria-label")) faults.push("no label: " + e.outerHTML.slice(0, 120));
  for (const e of document.querySelectorAll("a[href], button, summary"))
    if (!name(e)) faults.push("no name: " + e.outerHTML.slice(0, 120));
  for (const e of document.querySelectorAll("svg[role=img]"))
    if (!e.getAttribute("aria-label")) faults.push("no label: " + e.outerHTML.slice(0, 120));
  for (const e of document.querySelectorAll("svg:not([role=img])"))
    if (!e.closest("[aria-hidden=true]") && e.parentElement.closest("svg") === null)
      faults.push("neither hidden nor labelled: " + e.outerHTML.slice(0, 120));
  for (const e of document.querySelectorAll("table")) if (!e.caption) faults.push("a table without caption");
  for (const e of document.querySelectorAll("[style]")) faults.push("inline style: " + e.outerHTML.slice(0, 120));
  const ids = [...document.querySelectorAll("[id]")].map((e) => e.id);
  for (const id of new Set(ids)) if (ids.filter((other) => other === id).length > 1) faults.push("doubled id " + id);
  for (const e of document.querySelectorAll("[aria-describedby], [aria-labelledby]"))
    for (const id of (e.getAttribute("aria-describedby") || e.getAttribute("aria-labelledby")).split(" "))
      if (!document.getElementById(id) && e.tagName !== "DIALOG") faults.push("points nowhere: " + id);
  if (document.querySelectorAll("main h1").length !== 1) faults.push("not one h1");
  if (document.querySelectorAll("main").length !== 1) faults.push("not one main");
  if (!document.documentElement.lang) faults.push("no language");
  const width = document.documentElement.scrollWidth;
  if (width > innerWidth) faults.push("wider than the window: " + width);
  return faults;
}"""


@pytest.fixture(scope="module")
def paths(api: Client) -> list[str]:
    """One of each page, with content that strains it."""
    slug = api.serve("strained", graphs.add_constant(1.0), graphs.add_constant(2.0))
    api.split(slug, stable=(1, 9950), canary=(2, 50))
    api.call("PATCH", f"/api/v1/models/{slug}", {"description": NASTY})
    api.upload(slug, b"\x80\x04pickle", name=NASTY + ".onnx", description=NASTY)
    long_name = "n" + "o" * 126 + "t"
    api.post("/api/v1/models", {"name": long_name, "description": NASTY})
    job = api.send_file("/api/v1/jobs", b"a,b\n1,2\n", name=NASTY + ".csv", endpoint=slug).body["id"]
    return [
        "/",
        "/models",
        "/models?q=nothing-like-it",
        f"/models/{slug}",
        f"/models/{long_name}",
        f"/models/{slug}/edit",
        f"/models/{slug}/versions/1",
        f"/models/{slug}/versions/3",
        f"/models/{slug}/versions/1/try",
        "/models/iris-species/versions/2",
        "/models/upload",
        "/endpoints",
        f"/endpoints/{slug}",
        f"/endpoints/{slug}?key=customer-4711",
        f"/endpoints/{slug}/promote",
        f"/endpoints/{slug}/split",
        f"/endpoints/{slug}/rollback",
        f"/endpoints/{slug}/settings",
        f"/endpoints/{slug}/service",
        f"/endpoints/{slug}/delete",
        "/rollouts",
        f"/endpoints/{slug}/rollouts/new",
        "/serving",
        "/jobs",
        f"/jobs/{job}",
        "/audit",
        "/tokens",
        "/accounts/password/change/",
        "/find?q=strained",
        "/nothing/here",
    ]


@pytest.mark.parametrize(("theme", "narrow"), [("light", False), ("dark", False), ("light", True), ("dark", True)])
def test_each_page__has_no_fault(visit: Open, paths: list[str], theme: str, narrow: bool) -> None:
    here = visit(theme=theme, narrow=narrow)
    page = here.go("/accounts/login/")
    faults = {"/accounts/login/": page.evaluate(FAULTS)}
    here.sign_in()
    for path in paths:
        faults[path] = here.go(path).evaluate(FAULTS)
    assert {path: found for path, found in faults.items() if found} == {}


def test_page__with_all_that_it_loads__stays_within_its_budget(visit: Open, site: Portal) -> None:
    page = visit().sign_in()
    loaded = page.evaluate(
        "[...document.querySelectorAll('script[src], link[rel=stylesheet]')].map(e => e.src || e.href)"
    )
    sizes = {url: len(gzip.compress(urlopen(url).read(), 6)) for url in loaded}
    assert len(sizes) >= 6
    assert sum(sizes.values()) < MOST_COMPRESSED_BYTES, sizes


def test_content_security_policy__forbids_inline_script_and_style(site: Portal) -> None:
    policy = urlopen(f"{site.url}/accounts/login/").headers["Content-Security-Policy"]
    assert "script-src 'self'" in policy
    assert "style-src 'self'" in policy
    assert "unsafe" not in policy


def test_keyboard__skip_link_search_key_and_dialog__lead_where_they_say(visit: Open, paths: list[str]) -> None:
    here = visit()
    page = here.sign_in()
    here.go("/models")
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to content")).to_be_focused()
    page.keyboard.press("/")
    expect(page.get_by_role("searchbox")).to_be_focused()
    here.go("/endpoints/strained")
    promote = page.get_by_role("link", name="Promote…")
    promote.focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("dialog", name="Promote at strained")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_have_count(0)
    expect(promote).to_be_focused()


def test_theme__switched__holds_over_pages_and_reloads(visit: Open) -> None:
    here = visit(theme="light")
    page = here.sign_in()
    before = _background(page)
    with page.expect_response(re.compile("/theme$")):
        page.get_by_role("button", name="Dark").click()
    dark = _background(page)
    assert dark != before
    here.go("/models")
    assert page.locator("html").get_attribute("data-theme") == "dark"
    assert _background(page) == dark


def _background(page: Page) -> str:
    return str(page.evaluate("getComputedStyle(document.body).backgroundColor"))


def test_viewer__sees_but_is_offered_nothing_that_is_forbidden(visit: Open, paths: list[str]) -> None:
    here = visit()
    page = here.sign_in("bob", "a-long-passw0rd")
    here.go("/endpoints/strained")
    expect(page.get_by_role("heading", name="strained")).to_be_visible()
    expect(page.get_by_role("link", name="Promote…")).to_have_count(0)
    expect(page.get_by_role("link", name="Back to this")).to_have_count(0)
    answer = page.goto(f"{here.base}/endpoints/strained/promote")
    assert answer is not None
    assert answer.status == 403
    expect(page.get_by_role("alert")).to_contain_text("operator")


def test_stranger__finds_nothing(visit: Open, paths: list[str]) -> None:
    here = visit()
    page = here.sign_in("charlie", "a-long-passw0rd")
    for path in ("/endpoints/strained", "/models/strained", "/models/strained/versions/1"):
        answer = page.goto(here.base + path)
        assert answer is not None
        assert answer.status == 404
    _nothing_of(here, "/endpoints", "strained")
    _nothing_of(here, "/models", "strained")


def _nothing_of(here: Visit, path: str, name: str) -> None:
    expect(here.go(path).locator("main")).not_to_contain_text(name)
