"""The picture of the README, taken from the running portal's demo."""

from __future__ import annotations

import os

from playwright.sync_api import expect

from tests.browser.conftest import Open
from tests.flows.portal import ROOT, Client

IMAGES = ROOT / "docs" / "images"
# The address that a newcomer sees; the browser takes it to the port of this test run.
SHOWN_AS = "http://localhost:8000"


def test_demo_endpoint__in_the_middle_of_a_rollout__is_the_picture(visit: Open, api: Client) -> None:
    """Written anew only with SLIPWAY_DOCS_IMAGES=1, so that a test run leaves no change behind."""
    move(api, 9500, 500, "five percent for the small network")
    assert api.post("/api/v1/endpoints/iris/rollback", {"reason": "label of one batch looked odd"}).status == 200
    move(api, 9000, 1000, "the odd label was a mislabelled flower; again, with a tenth")
    here = visit(shown_as=SHOWN_AS)
    page = here.sign_in()
    here.go("/endpoints/iris?key=customer-4711")
    expect(page.locator("#key")).to_contain_text("of 10 000")
    expect(page.get_by_role("row")).to_have_count(5)
    if os.environ.get("SLIPWAY_DOCS_IMAGES") or not (IMAGES / "endpoint.png").exists():
        IMAGES.mkdir(parents=True, exist_ok=True)
        page.screenshot(path=IMAGES / "endpoint.png")


def move(api: Client, stable: int, canary: int, reason: str) -> None:
    shares = [
        {"variant": "stable", "version": 1, "weight_bp": stable},
        {"variant": "canary", "version": 2, "weight_bp": canary},
    ]
    answer = api.put("/api/v1/endpoints/iris/split", {"shares": shares, "reason": reason})
    assert answer.status == 200, answer
