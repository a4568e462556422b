"""A version's graph, drawn by Netron in a frame of its own: its files come from here, and nothing from elsewhere.

Netron's own page is not used: it asks other hosts, sets cookies and wants inline styles. The frame takes its markup and
its rules from the installed package and starts it with a script of ours (`js/graph.js`).
"""

from __future__ import annotations

import gzip
import os
import re
from functools import cache, lru_cache
from importlib.metadata import version as installed
from importlib.resources import files
from typing import cast

from csp.constants import SELF
from csp.decorators import csp_replace, csp_update
from django.http import FileResponse, Http404, HttpResponse
from django.utils.safestring import mark_safe
from django.views.decorators.clickjacking import xframe_options_sameorigin

from portal.lib.errors import NotFound
from registry import selectors
from registry.access import policy
from registry.models import ModelVersion
from registry.pages.access import PageRequest, page
from registry.pages.answers import show
from registry.services.archives import artifact_of
from registry.services.artifacts import opened
from registry.services.downloads import record_download

# A browser holds all of it, several times over.
MOST_BYTES = 512 * 1024**2
NETRON = installed("netron")
TYPES = {"js": "text/javascript", "css": "text/css", "json": "application/json"}
RULES = "rules.css"
_NAME = re.compile(r"[a-z0-9-]{1,40}\.(js|css|json)\Z")
_STYLE = re.compile(r"<style>(.*?)</style>", re.DOTALL)
_BODY = re.compile(r"<body[^>]*>(.*?)</body>", re.DOTALL)
# Only moves the page nowhere, which a policy without inline script complains about.
_NO_LINK = re.compile(r'href="javascript:[^"]*"')


def can_draw(version: ModelVersion) -> bool:
    """Whether the file is there and small enough for a browser."""
    main = version.files[0]["size"] if version.files else version.size
    return bool(version.signature) and main <= MOST_BYTES


@cache
def _markup() -> tuple[str, str]:
    """(rules, body) of Netron's page."""
    text = files("netron").joinpath("index.html").read_text("utf-8")
    rules, body = _STYLE.search(text), _BODY.search(text)
    if rules is None or body is None:
        raise RuntimeError("Netron's page is not what it was: see what its index.html holds now.")
    return rules[1], _NO_LINK.sub("", body[1])


@lru_cache(64)
def _packed(name: str) -> bytes:
    """One of Netron's files, compressed once. Raises Http404."""
    if not _NAME.match(name):
        raise Http404
    found = files("netron").joinpath(name)
    if name != RULES and not found.is_file():
        raise Http404
    return gzip.compress(_markup()[0].encode() if name == RULES else found.read_bytes(), 6, mtime=0)


@page(GET="model.view")
def netron(request: PageRequest, release: str, file: str) -> HttpResponse:
    """`release` is Netron's own, so that browsers may keep the files for good."""
    if release != NETRON:
        raise Http404
    answer = HttpResponse(_packed(file), content_type=TYPES[file.rpartition(".")[2]])
    answer["Content-Encoding"] = "gzip"
    answer["Cache-Control"] = "private, max-age=31536000, immutable"
    return answer


@xframe_options_sameorigin
@csp_replace({"frame-ancestors": [SELF]})
@csp_update({"worker-src": [SELF], "style-src-attr": ["'unsafe-inline'"]})
@page(GET="version.download")
def graph(request: PageRequest, name: str, number: int) -> HttpResponse:
    version = _drawable(request, name, number)
    body = mark_safe(_markup()[1])  # noqa: S308 - the package's own
    return show(request, "registry/graph_frame.html", {"version": version, "netron": NETRON, "netron_body": body})


@page(GET="version.download")
def graph_file(request: PageRequest, name: str, number: int) -> HttpResponse:
    """The ONNX file alone; the weights beside it are not needed to draw it."""
    version = _drawable(request, name, number)
    with opened(artifact_of(version)) as model:
        file = os.fdopen(os.dup(model.main), "rb")
    record_download(request.principal, version, shown_as="graph")
    return cast(HttpResponse, FileResponse(file, content_type="application/octet-stream"))


def _drawable(request: PageRequest, name: str, number: int) -> ModelVersion:
    version = selectors.get_version(request.principal, name, number)
    policy.require(request.principal, "version.download", version.model.project_id)
    if not can_draw(version):
        raise NotFound("There is no graph to draw of this version.")
    return version
