"""The page of a version: its graph without another host, a picture tried, and lines that really run when pasted."""

from __future__ import annotations

import json
import os
import shutil
import struct
import subprocess
import sys
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from onnx import TensorProto, helper
from playwright.sync_api import Page, expect

from tests import graphs
from tests.browser.conftest import Open
from tests.flows.portal import Client, Portal

NODE = shutil.which("node")


def colour_model() -> bytes:
    """[n, 3, 2, 4] -> the mean of each colour channel, [n, 3]."""
    node = helper.make_node("GlobalAveragePool", ["pixels"], ["pooled"], name="mean_of_colours")
    flat = helper.make_node("Flatten", ["pooled"], ["colours"], name="flat")
    inputs = [graphs.value("pixels", ("N", 3, 2, 4), TensorProto.FLOAT)]
    outputs = [graphs.value("colours", ("N", 3), TensorProto.FLOAT)]
    return graphs.model([node, flat], inputs, outputs).SerializeToString()


COLOURS = {
    "inputs": {"pixels": {"image": {"layout": "NCHW"}, "scale": 1 / 255}},
    "labels": {"colours": ["<b>red</b>", "green", "blue"]},
}


def png(color: tuple[int, int, int], width: int = 64, height: int = 64) -> bytes:
    """A picture of one colour, written by hand so that no library is needed."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    rows = (b"\0" + bytes(color) * width) * height
    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    parts = chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + parts


@pytest.fixture(scope="module")
def colours(api: Client) -> str:
    """The page of a ready version that takes pictures and has an endpoint `colours`."""
    api.post("/api/v1/models", {"name": "colours"})
    assert api.upload("colours", colour_model(), manifest=json.dumps(COLOURS)).status == 202
    assert api.version("colours", 1)["status"] == "ready"
    api.post("/api/v1/endpoints", {"slug": "colours", "model": "colours"})
    api.promote("colours", 1)
    return "/models/colours/versions/1"


def lines(page: Page) -> dict[str, str]:
    return {name: page.locator(f"#call-{name}").inner_text() for name in ("curl", "python", "javascript")}


def run(command: list[str], token: str, text: str | None = None) -> str:
    env = {**os.environ, "TOKEN": token}
    done = subprocess.run(command, input=text, env=env, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_graph__opened__shows_the_nodes_and_asks_no_other_host(visit: Open, colours: str) -> None:
    visitor = visit()
    visitor.sign_in()
    page = visitor.go(colours)
    page.get_by_text("drawn in your browser by Netron").click()
    frame = page.frame_locator("iframe.graph-frame")
    expect(frame.get_by_text("GlobalAveragePool")).to_be_visible()
    expect(frame.get_by_text("Flatten")).to_be_visible()


def test_picture__chosen__drawn_sent_as_pixels_and_named(visit: Open, colours: str, tmp_path: Path) -> None:
    file = tmp_path / "blue.png"
    file.write_bytes(png((0, 51, 255)))
    visitor = visit()
    visitor.sign_in()
    page = visitor.go(colours)
    page.get_by_label("Picture for pixels").set_input_files(file)
    expect(page.get_by_text("The picture is ready")).to_be_visible()
    page.get_by_role("button", name="Predict").click()
    answer = page.locator("#try .result")
    expect(answer.locator(".badge")).to_have_text("blue")
    assert [text.strip() for text in answer.locator(".num").all_inner_texts()] == ["0", "0.2000", "1"]
    expect(answer.get_by_text("<b>red</b>", exact=True)).to_be_visible()
    expect(page.locator("#try canvas")).to_be_visible()


def test_picture__that_is_none__said_so(visit: Open, colours: str, tmp_path: Path) -> None:
    file = tmp_path / "not.png"
    file.write_bytes(b"not a picture")
    visitor = visit()
    visitor.sign_in()
    page = visitor.go(colours)
    page.get_by_label("Picture for pixels").set_input_files(file)
    expect(page.get_by_text("no picture that your browser can open")).to_be_visible()


@pytest.mark.parametrize("path", ["/models/colours/versions/1", "/models/iris-species/versions/1"])
def test_snippets__pasted__answer(visit: Open, site: Portal, colours: str, path: str) -> None:
    token = site.create_token("admin", "predict")
    visitor = visit()
    visitor.sign_in()
    found = lines(visitor.go(path))
    key = "predictions" if "colours" in path else "outputs"
    assert key in json.loads(run(["bash", "-c", found["curl"]], token))
    assert "1" in run([sys.executable, "-c", found["python"]], token)
    if NODE:
        assert "[" in run([NODE, "--input-type=module", "-"], token, found["javascript"])


def test_snippet__javascript_in_the_browser__answers(visit: Open, site: Portal, colours: str) -> None:
    token = site.create_token("admin", "predict")
    visitor = visit()
    visitor.sign_in()
    page = visitor.go(colours)
    script = lines(page)["javascript"].replace("console.log(", "return (").replace(";\n", ";\n")
    page.on("dialog", lambda dialog: dialog.accept(token))
    answer: Any = page.evaluate(f"async () => {{ {script} }}")
    assert answer is not None, script
    assert np.allclose(answer, [[0.0, 0.0, 0.0]])


def test_page__hostile_names__nothing_runs_and_nothing_overflows(visit: Open, api: Client) -> None:
    name = "very-long-" + "x" * 100
    evil = "<img src=x onerror=alert(1)>\u202egnp.exe" + "w" * 120
    manifest = {"labels": {"y": [evil, "b", "c", "d"]}, "inputs": {"x": {"features": [evil, "b", "c", "d"]}}}
    api.post("/api/v1/models", {"name": name})
    assert api.upload(name, graphs.add_constant(), manifest=json.dumps(manifest), description=evil).status == 202
    assert api.version(name, 1)["status"] == "ready"
    for narrow, theme in ((False, "dark"), (True, "light")):
        visitor = visit(narrow=narrow, theme=theme)
        visitor.sign_in()
        page = visitor.go(f"/models/{name}/versions/1")
        page.on("dialog", lambda dialog: pytest.fail(dialog.message))
        page.get_by_role("button", name="Predict").click()
        expect(page.locator("#try .result .bar-list")).to_be_visible()
        assert not page.evaluate("document.documentElement.scrollWidth > innerWidth")
