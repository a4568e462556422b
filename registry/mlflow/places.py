"""Addresses of the artifact proxy. A path is only ever a name in the database, never one on the disk.

12/9f2c…/artifacts/plots/roc.png          what a run logged
12/models/m-41ac…/artifacts/model.onnx    what `log_model` wrote
registry/iris/3/model.onnx                a registered version, read-only
anything/else                             files of the caller's own project
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.http import HttpRequest
from django.utils.translation import gettext as _

from portal.lib.errors import InvalidInput
from registry import selectors
from registry.access.principal import Principal
from registry.mlflow import finding
from registry.mlflow.registered_models import number_of
from registry.mlflow.workspace import project_of
from registry.models import LoggedModel, ModelVersion, TrackingRun

REGISTRY = "registry"
MOST_CHARACTERS = 900
SCHEME = "mlflow-artifacts:/"


@dataclass(frozen=True, slots=True)
class Place:
    """`path` inside the project; where `version` is given, the path inside that version."""

    project_id: int
    path: str
    version: ModelVersion | None = None


def of_run(run: TrackingRun) -> str:
    return f"{run.experiment_id}/{run.pk}/artifacts"


def of_logged_model(model: LoggedModel) -> str:
    return f"{model.experiment_id}/models/{model.pk}/artifacts"


def segments(path: str) -> list[str]:
    """Raises InvalidInput for whatever could mean another place than it says."""
    parts = [part for part in path.strip("/").split("/") if part]
    bad = any(part in (".", "..") or "\\" in part or not part.isprintable() for part in parts)
    lowered = path.lower()
    if bad or len(path) > MOST_CHARACTERS or any(code in lowered for code in ("%2e", "%2f", "%5c", "%00")):
        raise InvalidInput(
            _("“%(path)s” is no path of an artifact: it may not climb, and has at most %(n)s printable characters.")
            % {"path": path[:60], "n": MOST_CHARACTERS},
            details={"field": "path"},
        )
    return parts


def find(principal: Principal, request: HttpRequest, path: str) -> Place:
    """Raises InvalidInput, and NotFound for what the caller may not see."""
    parts = segments(path)
    if parts and parts[0] == REGISTRY:
        return _version(principal, parts[1:])
    if parts and parts[0].isascii() and parts[0].isdigit():
        experiment = finding.experiment(principal, request, parts[0])
        return Place(experiment.project_id, "/".join([str(experiment.pk), *parts[1:]]))
    return Place(project_of(principal, request).pk, "/".join(parts))


def _version(principal: Principal, parts: list[str]) -> Place:
    if len(parts) < 2:
        raise InvalidInput(_("Name a model and a version: registry/<model>/<version>."), details={"field": "path"})
    version = selectors.get_version(principal, parts[0], number_of(parts[1]))
    return Place(version.model.project_id, "/".join(parts[2:]), version)


def listed(sizes: dict[str, int], folder: str) -> list[dict[str, Any]]:
    """What lies directly in `folder`, by its last name: the shape of MLflow's FileInfo. A file has nothing in it."""
    before = f"{folder}/" if folder else ""
    found: dict[str, dict[str, Any]] = {}
    for path, size in sizes.items():
        name, _slash, rest = path.removeprefix(before).partition("/")
        if path.startswith(before) and name:
            found[name] = {"path": name, "is_dir": True} if rest else {"path": name, "is_dir": False, "file_size": size}
    return [found[name] for name in sorted(found)]
