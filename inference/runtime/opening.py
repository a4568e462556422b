"""How the runtime gets at a version's bytes: as descriptors that whoever knows the store has opened and proven."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

from registry.artifacts.model_files import OpenModel

# Opens the files anew at each call, as a process that is started again needs them again.
Opener = Callable[[], AbstractContextManager[OpenModel]]


def opener_of(source: str | Path | Opener) -> Opener:
    """A path is taken as it is: a single file that nobody has proven."""
    if callable(source):
        return source
    path = source

    @contextmanager
    def opened() -> Iterator[OpenModel]:
        model = OpenModel(os.open(path, os.O_RDONLY | os.O_CLOEXEC), {})
        try:
            yield model
        finally:
            model.close()

    return opened
