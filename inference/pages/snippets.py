"""Lines to paste that call an endpoint. They work as they stand once `$TOKEN` is set."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from inference.pages.examples import example_body
from registry.artifacts.signature import Signature

NUMPY_NAMES = {"BYTES": "object", "BOOL": "bool"}


@dataclass(frozen=True)
class Snippets:
    curl: str
    python: str
    javascript: str


def snippets(
    origin: str, slug: str, signature: Signature, version: int | None = None, given: dict[str, list[Any]] | None = None
) -> Snippets:
    """For `version`, pinned to it; else by the endpoint's traffic split. `given` are input values worth sending."""
    path = f"/v2/models/{slug}" + (f"/versions/{version}" if version else "") + "/infer"
    body = example_body(signature, given)
    return Snippets(_curl(origin + path, body), _python(origin + path, body), _javascript(origin + path, body))


def _curl(url: str, body: dict[str, Any]) -> str:
    quoted = _pretty(body).replace("'", "'\\''")
    return f"curl {url} \\\n  -H \"Authorization: Bearer $TOKEN\" \\\n  -d '{quoted}'"


def _python(url: str, body: dict[str, Any]) -> str:
    return (
        "import json, os, urllib.request\n\n"
        f"body = {_pretty(body, python=True)}\n"
        "request = urllib.request.Request(\n"
        f'    "{url}",\n'
        "    data=json.dumps(body).encode(),\n"
        '    headers={"Authorization": "Bearer " + os.environ["TOKEN"]},\n'
        ")\n"
        "with urllib.request.urlopen(request) as answer:\n"
        '    print(json.load(answer)["outputs"], answer.headers["X-Model-Version"])'
    )


def _javascript(url: str, body: dict[str, Any]) -> str:
    return (
        f'const answer = await fetch("{url}", {{\n'
        '  method: "POST",\n'
        "  headers: { Authorization: `Bearer ${process.env.TOKEN}` },\n"
        f"  body: JSON.stringify({_pretty(body)}),\n"
        "});\n"
        "console.log((await answer.json()).outputs);"
    )


def _pretty(body: dict[str, Any], *, python: bool = False) -> str:
    """One line an input, so that the shape of the request is seen at a glance."""
    dump = repr if python else json.dumps
    lines = ",\n    ".join(dump(item) for item in body["inputs"])
    return '{"inputs": [\n    ' + lines + "\n  ]}"
