"""Every hiding place of a reference to another file, with places that it may lead to."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from onnx import ModelProto, TensorProto

from tests import hostile_graphs
from tests.hostile.building import HUGE, Named

# Where a file that nobody may read could lie, seen from a process of the portal.
LOCATIONS = (
    "/etc/passwd",
    "/etc/shadow",
    "/proc/self/environ",
    "/proc/self/maps",
    "/proc/1/cmdline",
    "/dev/zero",
    "/dev/stdin",
    "../../../../../../etc/passwd",
    "../secret_key",
    ".env",
    "secrets/secret_key",
    "var/private/secret_key",
    "./././/etc/passwd",
    "manage.py",
    "C:\\Windows\\win.ini",
    "\\\\server\\share\\weights",
    "file:///etc/passwd",
    "weights\u202e.bin",
    "a" * 5_000,
    "",
)


def single() -> Iterator[Named]:
    """Each model of tests/hostile_graphs.py, but for those that other families vary."""
    for name, make in sorted(vars(hostile_graphs).items()):
        if callable(make) and not name.startswith("_") and getattr(make, "__module__", "") == hostile_graphs.__name__:
            data = make()
            if isinstance(data, bytes):
                yield name, data


def locations() -> Iterator[Named]:
    """Each hiding place of a reference to another file, with each place that it may lead to."""
    for index, location in enumerate(LOCATIONS):
        for make in hostile_graphs.EXTERNAL:
            yield f"{make.__name__}-{index}", _relocated(make(), location)


def _relocated(data: bytes, location: str) -> bytes:
    built = ModelProto.FromString(data)
    waiting: list[Any] = [built]
    while waiting:
        message = waiting.pop()
        if isinstance(message, TensorProto):
            for entry in message.external_data:
                entry.value = location
            continue
        for field, found in message.ListFields():
            if field.message_type is not None:
                waiting.extend(found if field.is_repeated else [found])
    return built.SerializeToString()


def offsets() -> Iterator[Named]:
    for offset in HUGE:
        for length in (0, 16, 2**62, -1):
            tensor = hostile_graphs.external_tensor(location="model.onnx")
            tensor.external_data.add(key="offset", value=str(offset))
            tensor.external_data.add(key="length", value=str(length))
            yield f"{offset}-{length}", hostile_graphs._reads(tensor).SerializeToString()
