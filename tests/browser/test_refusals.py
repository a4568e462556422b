"""What cannot be done says so before it is tried: promoting what breaks callers, taking away what is served."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page, expect

from tests import graphs
from tests.browser.conftest import Open
from tests.flows.portal import Client

# WCAG's contrast of an element's text against its own background, whatever space its colours are written in.
CONTRAST = """(element) => {
  const context = document.createElement("canvas").getContext("2d", {willReadFrequently: true});
  const luminance = (color) => {
    context.fillStyle = color;
    context.fillRect(0, 0, 1, 1);
    const parts = [...context.getImageData(0, 0, 1, 1).data].slice(0, 3).map((part) => part / 255);
    const [red, green, blue] = parts.map((part) => (part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4));
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
  };
  const style = getComputedStyle(element);
  const [dark, light] = [luminance(style.color), luminance(style.backgroundColor)].sort((one, other) => one - other);
  return (light + 0.05) / (dark + 0.05);
}"""


@pytest.fixture(scope="module")
def served(api: Client) -> str:
    """A model at two addresses: version 1 takes all traffic, version 2 takes another input."""
    api.post("/api/v1/models", {"name": "served"})
    for data in (graphs.mlp(4), graphs.two_inputs()):
        assert api.upload("served", data).status == 202
    assert [api.version("served", number)["status"] for number in (1, 2)] == ["ready", "ready"]
    for slug in ("served", "served-night"):
        api.post("/api/v1/endpoints", {"slug": slug, "model": "served"})
        api.promote(slug, 1)
    return "/models/served/versions"


def opened(visit: Open, path: str, **how: str) -> Page:
    visitor = visit(**how)
    visitor.sign_in()
    return visitor.go(path)


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_version__two_endpoints__promote_can_be_read(visit: Open, served: str, theme: str) -> None:
    button = opened(visit, f"{served}/2", theme=theme).locator("summary", has_text="Promote to…")
    assert button.evaluate(CONTRAST) >= 4.5
    button.hover()
    assert button.evaluate(CONTRAST) >= 4.5


def test_delete__served__says_by_whom_and_cannot_be_pressed(visit: Open, served: str) -> None:
    page = opened(visit, f"{served}/1")
    page.locator("summary", has_text="More acts").click()
    page.get_by_role("link", name="Delete…").click()
    dialog = page.get_by_role("dialog")
    expect(dialog.get_by_text("Endpoint “served” serves it")).to_be_visible()
    button = dialog.get_by_role("button", name="Delete version")
    expect(button).to_be_disabled()
    assert button.get_attribute("aria-describedby") == dialog.locator(".notice").get_attribute("id")
    expect(dialog.get_by_role("link", name="Cancel")).to_be_focused()
    page.keyboard.press("Escape")
    expect(dialog).to_be_hidden()


def test_promote__breaks_callers__nothing_is_sent_before_the_box_is_ticked(visit: Open, served: str) -> None:
    page = opened(visit, f"{served}/2")
    page.locator("summary", has_text="Promote to…").click()
    page.get_by_role("link", name="served-night").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("Why").fill("they know")
    sent: list[str] = []
    page.on("request", lambda request: sent.append(request.url) if request.method == "POST" else None)
    dialog.get_by_role("button", name="Promote").click()
    assert page.get_by_label("Force it").evaluate("(box) => box.validity.valueMissing")
    assert sent == []
    dialog.get_by_label("Force it").check()
    dialog.get_by_role("button", name="Promote").click()
    expect(page.get_by_text("Done: version 2 takes 100 %.")).to_be_visible()
