"""Every write works without JavaScript: plain forms that are answered with 303."""

from __future__ import annotations

from pathlib import Path

from playwright.sync_api import expect

from tests import graphs
from tests.browser.conftest import Open
from tests.flows.portal import Client


def test_traffic__without_script__moves_and_comes_back(visit: Open, api: Client) -> None:
    api.serve("no-script", graphs.add_constant(10.0), graphs.add_constant(20.0))
    here = visit(script=False)
    page = here.sign_in()
    here.go("/endpoints/no-script")
    page.get_by_role("link", name="Split…").click()
    page.get_by_label("Share of stable").fill("70")
    page.get_by_label("Share of canary").fill("20")
    page.get_by_label("Why").fill("does not sum")
    page.get_by_role("button", name="Apply split").click()
    expect(page.get_by_role("alert").first).to_contain_text("The shares sum to 90 %")
    expect(page.get_by_label("Why")).to_have_value("does not sum")
    page.get_by_label("Share of stable").fill("80")
    page.get_by_role("button", name="Show the state after").click()
    expect(page.locator("#after")).to_contain_text("80")
    page.get_by_role("button", name="Apply split").click()
    page.wait_for_url("**/endpoints/no-script")
    expect(page.locator(".notice.is-good")).to_contain_text("version 1 takes 80 %, version 2 takes 20 %")

    page.get_by_role("link", name="Promote…").click()
    page.get_by_label("Version", exact=True).select_option("2")
    page.get_by_label("Why").fill("good")
    page.get_by_role("button", name="Promote", exact=True).click()
    expect(page.locator(".page-head")).to_contain_text("All traffic goes to version 2.")

    page.get_by_role("link", name="Roll back…").click()
    page.get_by_label("Why").fill("not good")
    page.get_by_role("button", name="Roll back", exact=True).click()
    expect(page.locator(".page-head")).to_contain_text("80\u202f% to version 1, 20\u202f% to version 2.")


def test_two_operators__the_slower_one__is_shown_the_new_state_and_changes_nothing(visit: Open, api: Client) -> None:
    api.serve("two-operators", graphs.add_constant(10.0), graphs.add_constant(20.0))
    here = visit(script=False)
    page = here.sign_in()
    here.go("/endpoints/two-operators/promote?version=2")
    api.split("two-operators", stable=(1, 9000), canary=(2, 1000))
    page.get_by_label("Why").fill("too late")
    page.get_by_role("button", name="Promote", exact=True).click()
    expect(page.get_by_role("alert").first).to_contain_text("Somebody else moved the traffic meanwhile")
    expect(page.locator(".before-after")).to_contain_text("canary v2 · 10")
    expect(page.get_by_label("Why")).to_have_value("too late")
    assert api.get("/api/v1/endpoints/two-operators").body["epoch"] == 2


def test_upload_and_alias__without_script__work(visit: Open, tmp_path: Path) -> None:
    here = visit(script=False)
    page = here.sign_in()
    file = tmp_path / "plain.onnx"
    file.write_bytes(graphs.add_constant(3.0))
    here.go("/models/upload")
    page.set_input_files("#id_file", file)
    page.get_by_label("Model", exact=True).fill("../etc/passwd")
    page.get_by_role("button", name="Upload and check").click()
    expect(page.get_by_role("alert").first).to_contain_text("letters, digits, dots")
    expect(page.get_by_label("Model", exact=True)).to_have_value("../etc/passwd")
    page.set_input_files("#id_file", file)
    page.get_by_label("Model", exact=True).fill("plain")
    page.get_by_role("button", name="Upload and check").click()
    page.wait_for_url("**/models/plain/versions/1")
    for _try in range(40):
        if page.locator(".page-title .badge").inner_text() == "Ready":
            break
        page.wait_for_timeout(250)
        page.reload()
    page.get_by_label("Alias").fill("champion")
    page.get_by_role("button", name="Set", exact=True).click()
    expect(page.locator(".notice.is-good")).to_contain_text("“champion” now names version 1")
    page.get_by_role("button", name="Remove champion").click()
    expect(page.locator(".notice.is-good")).to_contain_text("names no version any more")


def test_theme__switched_without_script__is_rendered_by_the_server(visit: Open) -> None:
    here = visit(script=False)
    page = here.sign_in()
    page.get_by_role("button", name="Dark").click()
    assert page.locator("html").get_attribute("data-theme") == "dark"
    here.go("/models")
    assert page.locator("html").get_attribute("data-theme") == "dark"
    page.get_by_role("button", name="As the system").click()
    assert page.locator("html").get_attribute("data-theme") is None
