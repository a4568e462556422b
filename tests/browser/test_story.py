"""The main job through the browser: from a file to a promoted, split and rolled-back endpoint, a job, the record."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests import graphs
from tests.browser.conftest import Open
from tests.flows.portal import Client


def upload(page: Page, name: str, file: Path, note: str) -> None:
    page.get_by_role("link", name="Models", exact=True).first.click()
    page.get_by_role("link", name=re.compile("Upload a model")).first.click()
    page.set_input_files("#id_file", file)
    page.get_by_label("Model", exact=True).fill(name)
    page.get_by_label(re.compile("What is new")).fill(note)
    page.get_by_role("button", name="Upload and check").click()


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_main_job__through_the_browser__every_step_shows_its_result(
    visit: Open, api: Client, tmp_path: Path, theme: str
) -> None:
    name = f"plus-{theme}"
    page = visit(theme=theme).sign_in()
    files = [tmp_path / "ten.onnx", tmp_path / "twenty.onnx"]
    for number, (file, added) in enumerate(zip(files, (10.0, 20.0), strict=True), start=1):
        file.write_bytes(graphs.add_constant(added))
        upload(page, name, file, f"adds {added:g}")
        page.wait_for_url(f"**/models/{name}/versions/{number}")
        expect(page.locator(".page-title .badge")).to_have_text("Ready")

    page.get_by_role("button", name="Predict").click()
    expect(page.locator("#try .result")).to_contain_text("20.5")

    page.get_by_role("link", name="Create an endpoint").first.click()
    page.get_by_label("Address").fill(name)
    page.get_by_role("button", name="Create endpoint").click()
    page.wait_for_url(f"**/endpoints/{name}")
    expect(page.locator(".page-title .badge")).to_have_text("No traffic yet")

    promote(page, version="1", reason="first version")
    expect(page.locator(".page-head")).to_contain_text("All traffic goes to version 1.")
    assert api.infer(name, [[1, 2, 3, 4]]).headers["X-Model-Version"] == "1"

    split(page, canary="2", share="10", reason="a careful tenth")
    expect(page.locator(".page-head")).to_contain_text("90\u202f% to version 1, 10\u202f% to version 2.")

    promote(page, version="2", reason="it does well")
    expect(page.locator(".page-head")).to_contain_text("All traffic goes to version 2.")

    page.get_by_role("link", name="Roll back…", exact=True).click()
    expect(page.locator("dialog .before-after")).to_contain_text("After")
    page.get_by_label("Why").fill("it does not")
    page.get_by_role("button", name="Roll back", exact=True).click()
    expect(page.locator(".notice.is-good")).to_contain_text(re.compile(r"Taken over by 2 of 2 processes in .*s\."))
    expect(page.locator(".page-head")).to_contain_text("90\u202f% to version 1")

    row = page.get_by_role("row").filter(has_text="first version")
    row.get_by_role("link", name="Back to this").click()
    page.get_by_label("Why").fill("all the way back")
    page.get_by_role("button", name="Roll back", exact=True).click()
    expect(page.locator(".page-head")).to_contain_text("All traffic goes to version 1.")
    assert api.infer(name, [[1, 2, 3, 4]]).body["outputs"][0]["data"] == [11, 12, 13, 14]

    job(page, name, tmp_path)
    record(page, name)
    token(page, api, name)


def promote(page: Page, *, version: str, reason: str) -> None:
    page.get_by_role("link", name="Promote…").click()
    page.locator("dialog").get_by_label("Version", exact=True).select_option(version)
    expect(page.locator("#after")).to_contain_text(f"v{version} · 100")
    page.get_by_label("Why").fill(reason)
    page.get_by_role("button", name="Promote", exact=True).click()
    expect(page.locator(".notice.is-good")).to_contain_text("Taken over by 2 of 2 processes")


def split(page: Page, *, canary: str, share: str, reason: str) -> None:
    page.get_by_role("link", name="Split…").click()
    dialog = page.locator("dialog")
    dialog.get_by_label("Version of canary").select_option(canary)
    dialog.get_by_label("Share of stable").fill("80")
    dialog.get_by_label("Share of stable").press("Tab")
    expect(dialog.locator("[data-sum]")).to_contain_text("missing")
    dialog.get_by_label("Share of canary").fill(share)
    expect(dialog.get_by_label("Share of stable")).to_have_value(str(100 - int(share)))
    expect(dialog.locator("[data-sum]")).to_contain_text("100 %")
    expect(dialog.locator("#after .traffic-legend").last).to_contain_text(f"v{canary} · {share}")
    dialog.get_by_label("Why").fill(reason)
    dialog.get_by_role("button", name="Apply split").click()
    expect(page.locator(".notice.is-good")).to_contain_text("Taken over by")


def job(page: Page, endpoint: str, folder: Path) -> None:
    rows = folder / f"{endpoint}.csv"
    rows.write_text("x_0,x_1,x_2,x_3\n" + "".join(f"{n},{n},{n},{n}\n" for n in range(3000)) + "1,2,three,4\n")
    page.get_by_role("link", name="Jobs", exact=True).click()
    page.set_input_files("#id_file", rows)
    page.get_by_label("Score with").select_option(f"endpoint {endpoint}")
    page.get_by_role("button", name="Start the job").click()
    expect(page.locator(".page-title .badge")).to_have_text("Succeeded with errors")
    expect(page.get_by_role("row").filter(has_text="not_a_number")).to_have_count(1)
    with page.expect_download() as download:
        page.get_by_role("link", name="Download output").click()
    assert download.value.path().read_text().splitlines()[2].startswith("11")


def record(page: Page, name: str) -> None:
    page.get_by_role("link", name="Audit", exact=True).click()
    page.get_by_label("On which object").fill(name)
    page.get_by_role("button", name="Filter").click()
    expect(page.get_by_role("table")).to_contain_text("endpoint.rolled_back")
    expect(page.get_by_role("table")).to_contain_text("all the way back")


def token(page: Page, api: Client, name: str) -> None:
    page.get_by_role("link", name="API tokens").first.click()
    page.get_by_label("Name").fill(f"robot {name}")
    page.get_by_role("button", name="Create token").click()
    secret = page.locator("#secret").text_content() or ""
    assert secret.startswith("swy_")
    assert Client(api.url, secret).get("/api/v1/models").status == 200
    page.get_by_role("row").filter(has_text=f"robot {name}").get_by_role("link", name="Revoke…").click()
    page.get_by_role("button", name="Revoke", exact=True).click()
    expect(page.locator(".notice.is-good")).to_contain_text("revoked")
    expect(page.get_by_text(secret)).to_have_count(0)
    assert Client(api.url, secret).get("/api/v1/models").status == 401
