"""Takes the files of forms straight into the store's quarantine, hashed on the way: one write, constant memory.

Django's own handlers would write a temporary file that then had to be read and written again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from django.conf import settings
from django.core.files.uploadedfile import UploadedFile
from django.core.files.uploadhandler import FileUploadHandler, StopUpload
from django.http import HttpRequest, HttpResponse

from portal.lib.errors import PortalError
from registry.artifacts.incoming import Incoming, StoredBlob
from registry.artifacts.store import ArtifactStore
from registry.services.artifacts import artifact_store


class QuarantinedUpload(UploadedFile):
    """A whole file that lies in quarantine. It vanishes when the request ends, unless a store adopted it."""

    def __init__(self, incoming: Incoming, **facts: Any) -> None:
        super().__init__(file=None, size=incoming.size, **facts)
        self.incoming = incoming

    def chunks(self, chunk_size: int | None = None) -> Any:
        with self.incoming.open() as file:
            while chunk := file.read(chunk_size or self.DEFAULT_CHUNK_SIZE):
                yield chunk

    def close(self) -> None:
        self.incoming.discard()


class QuarantineHandler(FileUploadHandler):
    """What goes wrong is kept on the request as `upload_error`; `taken` raises it where a view can answer."""

    chunk_size = 2**18
    # Django closes an attribute of this name when it gives up on the form: closing it discards the file.
    file: Incoming | None = None

    def new_file(self, *args: Any, **kwargs: Any) -> None:
        super().new_file(*args, **kwargs)
        self.file = artifact_store().begin(limit=settings.PORTAL_MAX_UPLOAD_BYTES)

    def receive_data_chunk(self, raw_data: bytes, start: int) -> None:
        assert self.file is not None
        try:
            self.file.write(raw_data)
        except PortalError as error:
            self.file.discard()
            if self.request is not None:
                self.request.upload_error = error  # type: ignore[attr-defined]
            # The rest is read and dropped: most clients look at the answer only when they have sent everything.
            raise StopUpload(connection_reset=False) from None

    def file_complete(self, file_size: int) -> QuarantinedUpload:
        assert self.file is not None
        return QuarantinedUpload(self.file, name=self.file_name, content_type=self.content_type, charset=self.charset)

    def upload_interrupted(self) -> None:
        if self.file is not None:
            self.file.discard()


class DiscardBrokenUploads:
    """Middleware. A caller who goes away while sending ends Django's parser without a word to its handlers."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        try:
            return self.get_response(request)
        finally:
            for handler in getattr(request, "_upload_handlers", ()):
                if isinstance(handler, QuarantineHandler):
                    handler.upload_interrupted()


def raise_upload_error(request: Any) -> None:
    """Raises what the handler had to swallow while Django parsed the form: TooLarge, or Unavailable on a full disk."""
    error = getattr(request, "upload_error", None)
    if error is not None:
        raise error


def take(store: ArtifactStore, source: UploadedFile | Iterable[bytes]) -> StoredBlob:
    """The bytes in the store: moved where they lie in quarantine already, else streamed."""
    if isinstance(source, QuarantinedUpload):
        return store.adopt(source.incoming)
    chunks = source.chunks() if isinstance(source, UploadedFile) else source
    return store.receive(chunks, limit=settings.PORTAL_MAX_UPLOAD_BYTES)
