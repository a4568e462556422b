"""From a `source` that the client names to a version's bytes: only what lies in the portal, and is the caller's."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NoReturn
from urllib.parse import SplitResult, urlsplit

from django.http import HttpRequest
from django.utils.translation import gettext as _

from portal.lib.errors import InvalidInput, NotFound
from registry import selectors
from registry.access import policy
from registry.access.principal import Principal
from registry.artifacts.model_files import Artifact, ModelFile
from registry.mlflow import finding, places
from registry.mlflow.entities import STAGES
from registry.mlflow.registered_models import number_of
from registry.models import LoggedFile, LoggedModel, ModelVersion, RegisteredModel, TrackingRun, VersionStatus
from registry.services.archives import artifact_of
from registry.services.logged_files import files_below
from registry.services.upload_versions import bundle

# What MLflow writes beside a model. Everything else beside the graph may be its weights.
BESIDES = frozenset({
    "MLmodel", "conda.yaml", "python_env.yaml", "requirements.txt", "constraints.txt", "input_example.json",
    "serving_input_example.json", "registered_model_meta", "environment_variables.txt",
})  # fmt: skip
BESIDE_FOLDERS = ("metadata/", "code/", "extra_files/")
_VERSION = re.compile(r"(?P<name>[^/@]+)(?:/(?P<which>[^/@]+)|@(?P<alias>[\w-]+))\Z")


@dataclass(frozen=True, slots=True)
class Source:
    """`run` and `logged` say where the files come from, as far as the portal knows it; a copy is another version's."""

    artifact: Artifact
    size: int
    file_name: str
    run: TrackingRun | None = None
    logged: LoggedModel | None = None
    is_copy: bool = False


def refused(source: str) -> InvalidInput:
    return InvalidInput(
        _(
            "“%(source)s” is no source that this registry takes: log the model to this portal first and register "
            "runs:/…, models:/m-… or mlflow-artifacts:/… from your own project."
        )
        % {"source": source[:100]},
        details={"field": "source"},
    )


def resolve(principal: Principal, request: HttpRequest, model: RegisteredModel, source: str) -> Source:
    """Raises InvalidInput; what the caller may not see is refused in the same words as what is not there."""
    parts = _parsed(source)
    path = parts.path.strip("/")
    places.segments(path)
    try:
        if parts.scheme == "models" and not parts.netloc:
            return _of_models(principal, model, source, path)
        if parts.scheme == "runs" and not parts.netloc:
            return _of_run(principal, model, source, path)
        if parts.scheme == "mlflow-artifacts" and parts.netloc in ("", request.get_host()):
            return _of_place(principal, request, model, source, path)
    except NotFound:
        raise _nothing_there(source) from None
    raise refused(source)


def _parsed(source: str) -> SplitResult:
    try:
        parts = urlsplit(source)
    except ValueError:
        raise refused(source) from None
    if parts.query or parts.fragment:
        raise refused(source)
    return parts


def _of_models(principal: Principal, model: RegisteredModel, source: str, path: str) -> Source:
    version = _VERSION.match(path)
    if version is None:
        logged = finding.logged_model(principal, path)
        files = _files(model, logged.experiment.project_id, places.of_logged_model(logged))
        return _picked(source, files, run=logged.run, logged=logged)
    return _copied(principal, _named(principal, version["name"], version["which"], version["alias"]))


def _named(principal: Principal, name: str, which: str | None, alias: str | None) -> ModelVersion:
    """By an alias, else by a number, a stage or `latest`, which is the newest that is ready. Raises NotFound."""
    if which == "latest":
        ready = selectors.versions_of(selectors.get_model(principal, name)).filter(status=VersionStatus.READY)
        return ready.order_by("-number").first() or _missing()
    if which and which.title() in STAGES:
        alias = which.title()
    number = selectors.get_alias(principal, name, alias).version.number if alias else number_of(which or "")
    return selectors.get_version(principal, name, number)


def _missing() -> NoReturn:
    raise NotFound(_("There is no version that is ready."))


def _copied(principal: Principal, version: ModelVersion) -> Source:
    policy.require(principal, "version.download", version.model.project_id)
    return Source(artifact_of(version), version.size, version.file_name, is_copy=True)


def _of_run(principal: Principal, model: RegisteredModel, source: str, path: str) -> Source:
    run_id, _slash, name = path.partition("/")
    run = finding.run(principal, run_id)
    files = _files(model, run.experiment.project_id, f"{places.of_run(run)}/{name}".rstrip("/"))
    if files:
        return _picked(source, files, run=run)
    logged = run.logged_models.filter(name=name, deleted_at=None).order_by("-created_at").first()
    if logged is None:
        raise _nothing_there(source)
    files = _files(model, run.experiment.project_id, places.of_logged_model(logged))
    return _picked(source, files, run=run, logged=logged)


def _of_place(principal: Principal, request: HttpRequest, model: RegisteredModel, source: str, path: str) -> Source:
    place = places.find(principal, request, path)
    if place.version is not None:
        return _copied(principal, place.version)
    if not place.path:
        raise refused(source)
    return _picked(source, _files(model, place.project_id, place.path))


def _files(model: RegisteredModel, project_id: int, folder: str) -> list[LoggedFile]:
    """Nothing, where they lie in another project than the model's."""
    return list(files_below(project_id, folder)) if project_id == model.project_id else []


def _picked(
    source: str, files: Sequence[LoggedFile], run: TrackingRun | None = None, logged: LoggedModel | None = None
) -> Source:
    if not files:
        raise _nothing_there(source)
    graph = _graph(source, files)
    folder = graph.path.rpartition("/")[0] + "/"
    weights = [
        ModelFile(file.path.removeprefix(folder), file.sha256, file.size)
        for file in files
        if file.path.startswith(folder) and _may_be_weights(file.path.removeprefix(folder))
    ]
    name = graph.path.removeprefix(folder)
    if not weights:
        return Source(Artifact(graph.sha256), graph.size, name, run, logged)
    together = [ModelFile(name, graph.sha256, graph.size), *weights]
    return Source(bundle(together), sum(file.size for file in together), name, run, logged)


def _may_be_weights(name: str) -> bool:
    return name not in BESIDES and not name.startswith(BESIDE_FOLDERS) and not name.endswith((".onnx", ".py"))


def _graph(source: str, files: Sequence[LoggedFile]) -> LoggedFile:
    graphs = [file for file in files if file.path.lower().endswith(".onnx")]
    named = [file for file in graphs if file.path.rpartition("/")[2] == "model.onnx"]
    chosen = named if len(named) == 1 else graphs
    if len(chosen) == 1:
        return chosen[0]
    if graphs:
        names = ", ".join(file.path.rpartition("/")[2] for file in graphs[:5])
        raise InvalidInput(
            _("“%(source)s” holds several ONNX files (%(names)s): log one model per folder.")
            % {"source": source[:100], "names": names},
            details={"field": "source"},
        )
    raise InvalidInput(
        _("There is no .onnx file in “%(source)s”: this portal serves ONNX, so use mlflow.onnx.log_model.")
        % {"source": source[:100]},
        details={"field": "source"},
    )


def _nothing_there(source: str) -> InvalidInput:
    return InvalidInput(
        _("There is nothing at “%(source)s” in your project: log the model to this portal first, then register it.")
        % {"source": source[:100]},
        details={"field": "source"},
    )
