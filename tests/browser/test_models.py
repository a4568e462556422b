"""The pages of a model in a real browser: light and dark, wide and narrow, with content that strains them."""

from __future__ import annotations

import json

import pytest
from playwright.sync_api import expect

from tests import graphs
from tests.browser.conftest import Open
from tests.browser.test_pages import FAULTS, NASTY
from tests.flows.portal import Client

CARD = f"""# {NASTY}

| a | b |
|---|---|
| x | y |

[bad](javascript:alert(1)) ![picture](https://elsewhere.example/p.png) <script>alert(1)</script>

{"> " * 30}deep

```
{"y" * 500}
```

{"word " * 2_000}
"""
TABS = (
    *("", "/compare", "/compare?only=differences", "/lineage", "/endpoints", "/golden", "/activity"),
    *("/edit", "/versions/2/edit"),
)


@pytest.fixture(scope="module")
def slug(api: Client) -> str:
    """A model with two versions that are served, and a card that strains the page."""
    slug = api.serve("carded", graphs.add_constant(1.0), graphs.add_constant(2.0))
    api.split(slug, stable=(1, 7500), canary=(2, 2500))
    api.call("PATCH", f"/api/v1/models/{slug}", {"description": CARD[:20_000], "tags": {NASTY[:200]: NASTY, "k": ""}})
    for number in (1, 2):
        said = {"description": NASTY, "tags": {"n": str(number)}, "metrics": {NASTY[:200]: number, "auc": 0.9}}
        api.call("PATCH", f"/api/v1/models/{slug}/versions/{number}", said)
    api.upload(
        slug,
        graphs.add_constant(3.0),
        lineage=json.dumps({"parent": 1, "run": {"name": NASTY}, "data": NASTY, "code": "https://example.org/c"}),
    )
    assert api.version(slug, 3)["lineage"]["parent"] == 1
    return slug


@pytest.mark.parametrize(("theme", "narrow"), [("light", False), ("dark", False), ("light", True), ("dark", True)])
def test_each_tab__has_no_fault(visit: Open, slug: str, theme: str, narrow: bool) -> None:
    here = visit(theme=theme, narrow=narrow)
    here.sign_in()
    faults = {tab: here.go(f"/models/{slug}{tab}").evaluate(FAULTS) for tab in TABS}
    assert {tab: found for tab, found in faults.items() if found} == {}


def test_two_ticked_versions__are_compared(visit: Open, slug: str) -> None:
    here = visit()
    here.sign_in()
    page = here.go(f"/models/{slug}")
    page.get_by_label("Compare version 1").check()
    page.get_by_label("Compare version 3").check()
    page.get_by_role("button", name="Compare the ticked two").click()
    expect(page.get_by_label("Before")).to_have_value("1")
    expect(page.get_by_label("After")).to_have_value("3")
    page.get_by_role("link", name="Only differences").click()
    expect(page).to_have_url(f"{here.base}/models/{slug}/compare?a=1&b=3&only=differences")
    expect(page.get_by_text("Callers can stay as they are")).to_be_visible()


def test_card__edited_in_a_dialog__is_previewed_then_saved(visit: Open, api: Client) -> None:
    api.post("/api/v1/models", {"name": "blank-card"})
    here = visit()
    here.sign_in()
    page = here.go("/models/blank-card")
    page.get_by_role("link", name="Edit card and tags").click()
    page.get_by_role("textbox", name="Card").fill("## Hello\n\n- one\n- two")
    page.get_by_role("textbox", name="Tags").fill("team = risk")
    page.get_by_role("button", name="Preview").click()
    expect(page.get_by_role("heading", name="Hello")).to_be_visible()
    page.get_by_role("button", name="Save").click()
    expect(page.locator("main").get_by_role("heading", name="Hello")).to_be_visible()
    page.get_by_role("link", name="team risk").click()
    expect(page.get_by_role("row", name="blank-card")).to_be_visible()


def test_long_card__opens_by_keyboard(visit: Open, slug: str) -> None:
    here = visit()
    here.sign_in()
    page = here.go(f"/models/{slug}")
    card = page.locator(".card-box .card")
    before = card.bounding_box()
    page.locator("#card-whole").focus()
    page.keyboard.press("Space")
    after = card.bounding_box()
    assert before is not None
    assert after is not None
    assert after["height"] > 2 * before["height"]
