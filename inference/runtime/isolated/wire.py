"""Messages between a serving process and the process of a model: a kind, a length, and as many bytes of JSON.

The serving process takes the other's word for nothing: it reads no more than it expects, in the time it has, and
`replies.py` checks what it reads. Descriptors go one way only, to the model's process.
"""

from __future__ import annotations

import socket
import struct
import time
from enum import IntEnum
from typing import Any, NamedTuple

import orjson

HEADER = struct.Struct("<BI")
LONGEST_ORDER = 64 << 20
LONGEST_REPLY = 4 << 20
_READ = 1 << 16
_SHORTEST_WAIT = 1e-3


class Kind(IntEnum):
    """Up to RUN these are orders, from READY on replies."""

    START = 1
    INPUT_MEMORY = 2
    OUTPUT_MEMORY = 3
    FORGET_MEMORY = 4
    RUN = 5
    READY = 11
    FAILED = 12
    NEEDS = 13
    DONE = 14
    REFUSED = 15


class OddReply(Exception):
    """The model's process said something that it never says when it is well."""


class NotRead(Exception):
    """The process had ended before it read the order."""


class Gone(Exception):
    """The process ended after it had read the order."""


class Order(NamedTuple):
    kind: int
    body: Any
    descriptor: int


def encode(kind: Kind, body: Any = None) -> bytes:
    data = orjson.dumps(body)
    return HEADER.pack(kind, len(data)) + data


def send_order(ours: socket.socket, data: bytes, until: float, descriptor: int | None = None) -> None:
    """`until` is in seconds of `time.monotonic`. Raises TimeoutError, or NotRead when nobody is there."""
    try:
        ours.settimeout(max(_SHORTEST_WAIT, until - time.monotonic()))
        if descriptor is None:
            ours.sendall(data)
        else:
            sent = socket.send_fds(ours, [data], [descriptor])
            ours.sendall(data[sent:])
    except (BrokenPipeError, ConnectionResetError) as error:
        raise NotRead from error


def receive_reply(ours: socket.socket, until: float) -> tuple[int, bytes]:
    """The kind and the raw body. Raises TimeoutError, NotRead, Gone or OddReply."""
    data = _receive(ours, until)
    while len(data) < HEADER.size:
        data += _receive(ours, until)
    kind, length = HEADER.unpack_from(data)
    if length > LONGEST_REPLY:
        raise OddReply("too long")
    rest = bytearray(data[HEADER.size :])
    while len(rest) < length:
        rest += _receive(ours, until)
    if len(rest) > length:
        raise OddReply("more than one reply")
    return kind, bytes(rest)


def _receive(ours: socket.socket, until: float) -> bytes:
    try:
        ours.settimeout(max(_SHORTEST_WAIT, until - time.monotonic()))
        data = ours.recv(_READ)
    except ConnectionResetError as error:
        # The kernel says so when there was something left to read for the one that ended.
        raise NotRead from error
    if not data:
        raise Gone
    return data


def receive_order(theirs: socket.socket) -> Order:
    """In the model's process: wait for the next order. Raises EOFError when the serving process is gone."""
    data, descriptors, _, _ = socket.recv_fds(theirs, HEADER.size, 1)
    data += _exactly(theirs, HEADER.size - len(data)) if data else b""
    if not data:
        raise EOFError
    kind, length = HEADER.unpack(data)
    return Order(kind, orjson.loads(_exactly(theirs, length)), descriptors[0] if descriptors else -1)


def reply(theirs: socket.socket, kind: Kind, body: Any = None) -> None:
    theirs.sendall(encode(kind, body))


def _exactly(theirs: socket.socket, count: int) -> bytes:
    data = bytearray()
    while len(data) < count:
        part = theirs.recv(min(_READ, count - len(data)))
        if not part:
            raise EOFError
        data += part
    return bytes(data)
