"""Lines to paste: that they are right is shown by running them, in `tests/browser/test_version_page.py`, too."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import pytest

from inference.pages.described import Described
from inference.pages.examples import body_text
from inference.pages.snippets import Snippets, snippets
from inference.protocol.preprocessing import travels_with
from inference.protocol.v1 import decode_predict
from inference.protocol.v2 import decode_infer
from registry.artifacts.manifest import check_manifest
from registry.artifacts.signature import Signature, TensorSpec

ORIGIN = "http://127.0.0.1:8000"
HOSTILE = 'it\'s "x" \\ </script> é\u202e\u2028`${1}'


def about(*specs: TensorSpec, **manifest: Any) -> Described:
    signature = Signature(specs, (TensorSpec("y", "FP32", (-1,)),))
    checked = check_manifest(manifest)
    return Described(signature, travels_with(signature, checked), checked.get("example", {}))


def sent(lines: Snippets) -> dict[str, bytes]:
    """The body that each snippet would send, by running all but the sending."""
    python = lines.python.split("request = ")[0] + "\nprint(json.dumps(body))"
    made = {"python": _run([sys.executable, "-c", python])}
    head, _bar, _rest = lines.curl.rpartition("| \\\n")
    quoted = f"printf %s {lines.curl.partition('-d ')[2]}"
    made["curl"] = _run(["bash", "-c", head or quoted])
    return made


def _run(command: list[str]) -> bytes:
    return subprocess.run(command, capture_output=True, check=True, timeout=60).stdout


CASES = {
    "numbers": about(TensorSpec("x", "FP32", (-1, 2)), example={"x": [1.5, 2]}),
    "hostile names and texts": about(TensorSpec(HOSTILE, "BYTES", (-1, 1)), example={HOSTILE: [HOSTILE]}),
    "booleans": about(TensorSpec("x", "BOOL", (-1, 2)), TensorSpec("z", "INT64", ())),
    "many values": about(TensorSpec("x", "FP32", (-1, 3, 32, 32))),
    "scaled": about(TensorSpec("x", "FP32", (-1, 2)), inputs={"x": {"scale": 2, "features": ["a", HOSTILE]}}),
    "scaled, many": about(TensorSpec("x", "FP32", (-1, 3, 32, 32)), inputs={"x": {"scale": 2}}),
    "scaled, two inputs": about(
        TensorSpec("x", "FP32", (-1, 2)), TensorSpec("t", "BYTES", (-1,)), inputs={"x": {"scale": 2}}
    ),
    "scaled, no rows": about(TensorSpec("x", "FP32", (2, 2)), inputs={"x": {"scale": 2}}),
    "picture": about(TensorSpec("x", "FP32", (-1, 3, 8, 4)), inputs={"x": {"image": {}}}),
    "one picture": about(
        TensorSpec("x", "UINT8", (1, 8, 4, 1)), inputs={"x": {"image": {"layout": "NHWC", "color": "GRAY"}}}
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_snippets__any_signature__send_what_the_model_takes(case: str) -> None:
    described = CASES[case]
    lines = snippets(ORIGIN, "e", described, 3)
    path = f"{ORIGIN}/v1/models/e/versions/3:predict" if described.travels.is_preparing else f"{ORIGIN}/v2/models/e/"
    assert path in lines.curl
    for language, body in sent(lines).items():
        if described.travels.is_preparing:
            inputs = decode_predict(body, described.signature, described.travels).inputs
        else:
            inputs = decode_infer(body, described.signature).inputs
        assert set(inputs) == {spec.name for spec in described.signature.inputs}, language


def test_snippets__given_values__stand_in_all_languages() -> None:
    lines = snippets(ORIGIN, "e", CASES["numbers"])
    for text in (lines.curl, lines.python, lines.javascript):
        assert "[1.5, 2]" in text
        assert f"{ORIGIN}/v2/models/e/infer" in text


def test_snippets__hostile_names__ascii_only() -> None:
    lines = snippets(ORIGIN, "e", CASES["hostile names and texts"])
    assert all(text.isascii() for text in (lines.curl, lines.python, lines.javascript))


def test_body_text__too_long_for_a_page__left_empty() -> None:
    assert json.loads(body_text(CASES["many values"]))["inputs"][0]["data"] == []
    assert json.loads(body_text(CASES["picture"])) == {"instances": [{"b64": ""}]}
