"""Validation of files as they lie on the disk."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from registry.artifacts import sandbox
from registry.artifacts.conversation import OnStep
from registry.artifacts.limits import Limits
from registry.artifacts.model_files import OpenModel
from registry.artifacts.report import Report


def validate(
    path: Path, data: Mapping[str, Path] | None = None, *, limits: Limits | None = None, on_step: OnStep | None = None
) -> Report:
    """`data` are the files beside the model by their names in the graph."""
    files = {name: os.open(file, os.O_RDONLY) for name, file in (data or {}).items()}
    model = OpenModel(os.open(path, os.O_RDONLY), files)
    try:
        return sandbox.validate(model, limits=limits, on_step=on_step)
    finally:
        model.close()
