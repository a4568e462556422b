"""Lines to paste that call an endpoint. They work as they stand once `$TOKEN` is set."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from inference.pages.described import Described
from inference.pages.examples import Fill, Pixels, example_body


@dataclass(frozen=True)
class Snippets:
    curl: str
    python: str
    javascript: str


def snippets(origin: str, slug: str, about: Described, version: int | None = None) -> Snippets:
    """For `version`, pinned to it; else by the endpoint's traffic split.

    V2, unless the version's manifest has to be applied: then V1, which does.
    """
    number = f"/versions/{version}" if version else ""
    protocol, verb = ("v1", ":predict") if about.travels.is_preparing else ("v2", "/infer")
    url = f"{origin}/{protocol}/models/{slug}{number}{verb}"
    body = example_body(about)
    answer = "outputs" if "inputs" in body else "predictions"
    pixels = next(_pixels(body), None)
    return Snippets(_curl(url, body), _python(url, body, answer, pixels), _javascript(url, body, answer, pixels))


def _curl(url: str, body: dict[str, Any]) -> str:
    if _is_short(body):
        quoted = _pretty(body, json.dumps).replace("'", "'\\''")
        return f"curl {url} \\\n  -H \"Authorization: Bearer $TOKEN\" \\\n  -d '{quoted}'"
    # No shell has a line long enough for so many values.
    made = _value(body, _python_literal, _python_fill).replace("'", "'\\''")
    return (
        f"python3 -c 'import base64, json; print(json.dumps(\n  {made}))' | \\\n"
        f'  curl {url} \\\n  -H "Authorization: Bearer $TOKEN" \\\n  -d @-'
    )


def _python(url: str, body: dict[str, Any], answer: str, pixels: Pixels | None) -> str:
    picture = ""
    if pixels:
        size = f"({pixels.width}, {pixels.height})"
        picture = (
            f'# With Pillow: pixels = Image.open("picture.jpg").convert("RGB").resize({size}).tobytes()\n'
            f"pixels = bytes({pixels.n_bytes})\n"
        )
    return (
        f"import {'base64, ' if pixels else ''}json, os, urllib.request\n\n{picture}"
        f"body = {_pretty(body, _python_literal, _python_named)}\n"
        "request = urllib.request.Request(\n"
        f'    "{url}",\n'
        "    data=json.dumps(body).encode(),\n"
        '    headers={"Authorization": "Bearer " + os.environ["TOKEN"]},\n'
        ")\n"
        "with urllib.request.urlopen(request) as answer:\n"
        f'    print(json.load(answer)["{answer}"], answer.headers["X-Model-Version"])'
    )


def _javascript(url: str, body: dict[str, Any], answer: str, pixels: Pixels | None) -> str:
    picture = f'const pixels = "\\0".repeat({pixels.n_bytes}); // a character a byte\n' if pixels else ""
    return (
        'const token = globalThis.process?.env.TOKEN ?? prompt("API token");\n'
        f'{picture}const answer = await fetch("{url}", {{\n'
        '  method: "POST",\n'
        # fetch calls a text "text/plain" if nobody says otherwise.
        '  headers: { Authorization: `Bearer ${token}`, "Content-Type": "application/json" },\n'
        f"  body: JSON.stringify({_pretty(body, json.dumps, _javascript_fill)}),\n"
        "});\n"
        f"console.log((await answer.json()).{answer});"
    )


Dump = Callable[[Any], str]


def _pretty(body: dict[str, Any], dump: Dump, fill: Dump | None = None) -> str:
    """One line an input, so that the shape of the request is seen at a glance."""
    (key, parts), *_none = body.items()
    if not isinstance(parts, list):
        return _value(body, dump, fill)
    lines = ",\n    ".join(_value(item, dump, fill) for item in parts)
    return "{" + dump(key) + ": [\n    " + lines + "\n  ]}"


def _value(value: Any, dump: Dump, fill: Dump | None) -> str:
    """A literal of the language that `dump` and `fill` speak."""
    if isinstance(value, Fill | Pixels):
        assert fill is not None
        return fill(value)
    if isinstance(value, dict):
        return "{" + ", ".join(f"{dump(key)}: {_value(part, dump, fill)}" for key, part in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(_value(part, dump, fill) for part in value) + "]"
    return dump(value)


def _python_literal(value: Any) -> str:
    """In double quotes where JSON's escapes are Python's, so that a shell's single quotes can stand around it."""
    return json.dumps(value) if isinstance(value, str) and value.isascii() else ascii(value)


def _python_fill(value: Fill | Pixels) -> str:
    if isinstance(value, Pixels):
        return f"base64.b64encode(bytes({value.n_bytes})).decode()"
    text = _python_literal(value.value)
    for size in reversed(value.shape):
        text = f"[{text}] * {size}"
    return text


def _python_named(value: Fill | Pixels) -> str:
    return "base64.b64encode(pixels).decode()" if isinstance(value, Pixels) else _python_fill(value)


def _javascript_fill(value: Fill | Pixels) -> str:
    if isinstance(value, Pixels):
        return "btoa(pixels)"
    text = json.dumps(value.value)
    for size in reversed(value.shape):
        text = f"Array({size}).fill({text})"
    return text


def _is_short(value: Any) -> bool:
    if isinstance(value, dict):
        return all(map(_is_short, value.values()))
    if isinstance(value, list | tuple):
        return all(map(_is_short, value))
    return not isinstance(value, Fill | Pixels)


def _pixels(value: Any) -> Any:
    """The pictures in a body."""
    if isinstance(value, Pixels):
        yield value
    for part in value.values() if isinstance(value, dict) else value if isinstance(value, list | tuple) else ():
        yield from _pixels(part)
