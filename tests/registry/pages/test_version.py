"""What the page of a version says at a glance, and the graph's own addresses."""

from __future__ import annotations

import gzip
from typing import Any

import pytest
from django.test import Client

from registry.models import ModelVersion
from registry.pages import graph
from registry.pages.badges import badges_of, signed
from registry.pages.manifest_words import manifest_parts
from tests import graphs
from tests.factories import make_model, make_user, make_version

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def version() -> ModelVersion:
    return make_version(make_model("plus"))


@pytest.fixture
def person() -> Client:
    client = Client()
    client.force_login(make_user("vera", "viewer"))
    return client


def words(version: ModelVersion, **facts: Any) -> list[str]:
    version.report = {"facts": facts}
    return [str(badge.word) for badge in badges_of(version)]


def test_badges__facts_of_validation__said_in_words(version: ModelVersion) -> None:
    assert words(version) == ["Not signed", "Runs here"]
    assert words(version, isolated=True, batching={"max_size": 16, "gain": 2.0}) == [
        "Not signed",
        "Runs apart",
        "Batch-safe",
    ]
    assert words(version, batch_coupled=True, batching={"max_size": 1, "gain": 1.0}, deterministic=False) == [
        "Not signed",
        "Runs here",
        "Rows influence each other",
        "Answers differ from run to run",
    ]


def test_badges__rejected__only_who_signed(version: ModelVersion) -> None:
    version.status = "rejected"
    assert words(version, isolated=True) == ["Not signed"]


@pytest.mark.parametrize(
    ("seal", "word", "tone"),
    [
        ({}, "Not signed", ""),
        ({"key": "k", "signature": "s"}, "Signed by the portal", "good"),
        ({"key": "k", "signature": "s", "warning": "unsigned"}, "Signed by the portal only", "warn"),
        ({"signature": "s", "uploader": {"user": "anna", "key": "ab12"}}, "Signed by anna", "good"),
    ],
)
def test_signed__each_seal__its_word(seal: dict[str, Any], word: str, tone: str) -> None:
    assert (signed(seal).word, signed(seal).tone) == (word, tone)


def test_manifest_parts__in_words() -> None:
    inputs = {
        "x": {"scale": 0.5, "mean": [1.0, 2.0, 3.0, 4.0, 5.0], "features": ["a"] * 20},
        "p": {"image": {"layout": "NCHW", "color": "BGR", "width": 8, "height": 4}, "std": 2.0},
    }
    x, picture, labels = manifest_parts({"inputs": inputs, "labels": {"y": ["no", "yes"]}})
    assert (x.lines, len(x.names), x.n_more) == (["times 0.5, minus [1, 2, 3, 4, …]"], 12, 8)
    assert picture.lines == ["Pictures 8 x 4 in BGR, NCHW", "divided by 2"]
    assert labels == ("y", [], ["no", "yes"], 0)


def test_page__hostile_manifest__escaped(version: ModelVersion, person: Client) -> None:
    ModelVersion.objects.update(manifest={"labels": {"y": ["<script>alert(1)</script>"]}})
    page = person.get("/models/plus/versions/1").content.decode()
    assert "<script>alert" not in page
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page


def test_graph__frame__policy_of_its_own_and_no_inline_script(version: ModelVersion, person: Client) -> None:
    answer = person.get("/models/plus/versions/1/graph")
    policy = answer["Content-Security-Policy"]
    assert "frame-ancestors 'self'" in policy
    assert "script-src 'self'" in policy
    assert "unsafe-eval" not in policy
    assert answer["X-Frame-Options"] == "SAMEORIGIN"
    page = answer.content.decode()
    assert page.count("<script") == 1
    assert "javascript:" not in page
    assert "onclick" not in page


def test_graph__file__the_models_bytes(version: ModelVersion, person: Client) -> None:
    answer = person.get("/models/plus/versions/1/graph/model.onnx")
    assert b"".join(answer) == graphs.add_constant(10.0)


@pytest.mark.parametrize("path", ["/graph", "/graph/model.onnx"])
@pytest.mark.parametrize("change", ["too big", "no signature", "stranger"])
def test_graph__not_to_be_drawn__404(version: ModelVersion, person: Client, path: str, change: str) -> None:
    if change == "stranger":
        person.force_login(make_user("charlie"))
    changes: dict[str, dict[str, Any]] = {
        "too big": {"size": graph.MOST_BYTES + 1},
        "no signature": {"signature": None},
    }
    ModelVersion.objects.update(**changes.get(change, {"description": "the same"}))
    assert person.get(f"/models/plus/versions/1{path}").status_code == 404


@pytest.mark.parametrize(
    ("file", "begins"), [("browser.js", "\nimport"), ("rules.css", "\nhtml"), ("onnx-metadata.json", "[")]
)
def test_netron__its_files__compressed_and_kept_for_good(person: Client, file: str, begins: str) -> None:
    answer = person.get(f"/netron/{graph.NETRON}/{file}")
    assert gzip.decompress(answer.content).decode().startswith(begins)
    assert "immutable" in answer["Cache-Control"]


@pytest.mark.parametrize("file", ["index.html", "server.py", "no.js", "..%2f__init__.py", "%2e%2e", "a" * 300 + ".js"])
def test_netron__anything_else__404(person: Client, file: str) -> None:
    assert person.get(f"/netron/{graph.NETRON}/{file}").status_code == 404
    assert person.get(f"/netron/1.0/{file}").status_code == 404
