"""The steps of an upload in parts, as the tests take them."""

from __future__ import annotations

import hashlib
import io
import resource
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import pytest
from django.db import connection

from portal.lib.errors import PortalError
from registry.access.principal import SYSTEM, Principal
from registry.models import Upload, UploadPart
from registry.services import uploads
from registry.services.artifacts import artifact_store
from registry.services.upload_parts import put_part
from registry.services.uploads import Wish, begin, complete
from tests import factories

PART = uploads.MIN_PART_BYTES
DATA = b"".join(bytes([number]) * PART for number in (1, 2, 3)) + b"the end"
AT_ONCE = 6
in_threads = pytest.mark.django_db(transaction=True)


def sha(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def started(data: bytes = DATA, who: Principal = SYSTEM, **wish: Any) -> Upload:
    return begin(who, factories.make_project(), Wish(len(data), "model.onnx", part_size=PART, **wish))


def piece(number: int, data: bytes = DATA) -> bytes:
    return data[(number - 1) * PART : number * PART]


def put(upload: Upload, number: int, data: bytes | None = None, **facts: Any) -> UploadPart:
    data = piece(number) if data is None else data
    length, digest = facts.get("length", len(data)), facts.get("sha256", sha(data))
    return put_part(facts.get("who", SYSTEM), upload, number, io.BytesIO(data).read, length, digest)


def finished(data: bytes = DATA, who: Principal = SYSTEM) -> Upload:
    upload = started(data, who)
    for number in range(1, uploads.n_parts(upload) + 1):
        put(upload, number, piece(number, data), who=who)
    return complete(who, upload)


def refused(act: Callable[[], object]) -> str:
    with pytest.raises(PortalError) as caught:
        act()
    return caught.value.code


def at_once(act: Callable[[int], object]) -> list[str]:
    """What each of the callers got: a code, or the text of the result."""
    gate = threading.Barrier(AT_ONCE)

    def run(number: int) -> str:
        gate.wait()
        try:
            return str(act(number))
        except PortalError as error:
            return error.code
        finally:
            connection.close()

    with ThreadPoolExecutor(AT_ONCE) as pool:
        return list(pool.map(run, range(AT_ONCE)))


@contextmanager
def no_file_beyond(n_bytes: int) -> Iterator[None]:
    """As on a full disk: this process writes no file further than that."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (n_bytes, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def incoming() -> set[str]:
    return {path.name for path in (artifact_store().root / "incoming").glob("*")}
