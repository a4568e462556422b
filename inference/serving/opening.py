"""Opens a version's files for a session, each time anew."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from inference.routing.snapshot import VersionRef
from inference.runtime.opening import Opener
from inference.runtime.session import not_loadable
from portal.lib.errors import NotFound
from registry.artifacts.model_files import OpenModel
from registry.services.artifacts import opened


def opener(version: VersionRef) -> Opener:
    """What it opens is proven. Opening raises Unavailable (`artifact_tampered`, `model_not_loadable`)."""
    artifact = version.artifact

    @contextmanager
    def open_anew() -> Iterator[OpenModel]:
        try:
            with opened(artifact) as model:
                yield model
        except NotFound:
            raise not_loadable() from None

    return open_anew
