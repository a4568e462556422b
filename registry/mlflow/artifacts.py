"""`/api/2.0/mlflow-artifacts`: files that scripts log, and registered versions to download."""

from __future__ import annotations

import mimetypes
from collections.abc import Iterator
from typing import Any

from django.http import FileResponse, HttpResponse
from django.http.response import HttpResponseBase
from django.utils.translation import gettext as _
from rest_framework.request import Request
from rest_framework.response import Response

from portal.lib.errors import InvalidInput
from registry.access import policy
from registry.mlflow import finding, places, virtual
from registry.mlflow.base import MlflowView, NotImplementedHere, empty
from registry.mlflow.model_versions import named
from registry.mlflow.places import Place
from registry.services import logged_files
from registry.services.downloads import record_download

CHUNK_BYTES = 2**18
MOST_LISTED = 10_000
# The client goes on with a plain PUT or GET where the message begins so.
NO_PARTS = "Multipart {} is not supported for the current artifact repository: send the file whole."


class Listing(MlflowView):
    actions = {"GET": "model.view"}

    def get(self, request: Request) -> Response:
        path = self.said().text("path").strip("/")
        files = files_in(places.find(self.principal, self.plain, path)) if path else []
        return Response({"files": files})


def files_in(place: Place) -> list[dict[str, object]]:
    if place.version is not None:
        virtual.check_loadable(place.version)
        return places.listed(virtual.sizes(place.version), place.path)
    rows = logged_files.files_below(place.project_id, place.path).values_list("path", "size")
    return places.listed(dict(rows[:MOST_LISTED]), place.path)


class File(MlflowView):
    actions = {"GET": "version.download", "PUT": "version.upload", "DELETE": "version.upload"}

    def get(self, request: Request, path: str) -> HttpResponseBase:
        return download(self, places.find(self.principal, self.plain, path))

    def put(self, request: Request, path: str) -> Response:
        place = _writable(places.find(self.principal, self.plain, path))
        size = _length(self.plain.META.get("CONTENT_LENGTH") or "0")
        logged_files.put_file(self.principal, place.project_id, place.path, _chunks(self.plain), size)
        return empty()

    def delete(self, request: Request, path: str) -> Response:
        place = _writable(places.find(self.principal, self.plain, path))
        logged_files.delete_files(self.principal, place.project_id, place.path)
        return empty()


def _writable(place: Place) -> Place:
    if place.version is not None:
        raise InvalidInput(_("Registered versions never change: register another one."), details={"field": "path"})
    return place


def _length(text: str) -> int:
    if not text.isascii() or not text.isdigit() or len(text) > 18:
        raise InvalidInput(_("“Content-Length” has to be a number of bytes."), details={"field": "Content-Length"})
    return int(text)


def _chunks(request: Any) -> Iterator[bytes]:
    # Without a length Django reads nothing; the client sends an empty file in chunks.
    is_chunked = "chunked" in request.META.get("HTTP_TRANSFER_ENCODING", "").lower()
    source = request.environ["wsgi.input"] if is_chunked else request
    while chunk := source.read(CHUNK_BYTES):
        yield chunk


def download(view: MlflowView, place: Place) -> HttpResponseBase:
    """Never shown by a browser: the bytes are a stranger's."""
    policy.require(view.principal, "version.download", place.project_id)
    name = place.path.rpartition("/")[2]
    if place.version is None:
        file, source = logged_files.open_file(place.project_id, place.path)
        return _attachment(FileResponse(source), name, file.size)
    virtual.check_loadable(place.version)
    made = virtual.made_files(place.version).get(place.path)
    if made is not None:
        return _attachment(HttpResponse(made), name, len(made))
    source = virtual.open_stored(place.version, place.path)
    record_download(view.principal, place.version, file=place.path)
    return _attachment(FileResponse(source), name, virtual.stored_files(place.version)[place.path].size)


def _attachment(answer: HttpResponseBase, name: str, size: int) -> HttpResponseBase:
    kind = mimetypes.guess_type(name)[0] or "application/octet-stream"
    safe = kind if kind in ("application/json", "text/plain") else "application/octet-stream"
    answer["Content-Type"] = safe
    answer["Content-Length"] = str(size)
    answer["Content-Disposition"] = "attachment"
    return answer


class Parts(MlflowView):
    """Parts at signed addresses of a cloud's storage are for servers that have one."""

    actions = {"POST": "version.upload"}

    def post(self, request: Request, path: str) -> Response:
        place = places.find(self.principal, self.plain, path)
        policy.require(self.principal, "version.upload", place.project_id)
        raise NotImplementedHere(NO_PARTS.format("upload"))


class Presigned(MlflowView):
    actions = {"GET": "version.download"}

    def get(self, request: Request, path: str) -> Response:
        place = places.find(self.principal, self.plain, path)
        policy.require(self.principal, "version.download", place.project_id)
        raise NotImplementedHere(NO_PARTS.format("download"))


class VersionFile(MlflowView):
    """`/model-versions/get-artifact`."""

    actions = {"GET": "version.download"}

    def get(self, request: Request) -> HttpResponseBase:
        said = self.said()
        version = named(self, said)
        path = "/".join(places.segments(said.required("path")))
        return download(self, Place(version.model.project_id, path, version))


class RunFile(MlflowView):
    """`/get-artifact`."""

    actions = {"GET": "version.download"}

    def get(self, request: Request) -> HttpResponseBase:
        said = self.said()
        run = finding.run(self.principal, said.text("run_id") or said.required("run_uuid"))
        path = "/".join([places.of_run(run), *places.segments(said.required("path"))])
        return download(self, Place(run.experiment.project_id, path))


class RunListing(MlflowView):
    """`artifacts/list`."""

    actions = {"GET": "model.view"}

    def get(self, request: Request) -> Response:
        said = self.said()
        run = finding.run(self.principal, said.text("run_id") or said.required("run_uuid"))
        return Response(below(run.experiment.project_id, places.of_run(run), said.text("path")))


class LoggedModelListing(MlflowView):
    """`logged-models/<id>/artifacts/directories`."""

    actions = {"GET": "model.view"}

    def get(self, request: Request, model_id: str) -> Response:
        model = finding.logged_model(self.principal, model_id)
        folder = self.said().text("artifact_directory_path")
        return Response(below(model.experiment.project_id, places.of_logged_model(model), folder))


def below(project_id: int, root: str, folder: str) -> dict[str, object]:
    """As `artifacts/list`, where paths begin at the root."""
    parts = places.segments(folder)
    files = files_in(Place(project_id, "/".join([root, *parts])))
    for file in files:
        file["path"] = "/".join([*parts, str(file["path"])])
    return {"root_uri": places.SCHEME + root, "files": files}
