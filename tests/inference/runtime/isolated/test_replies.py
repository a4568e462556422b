"""What a hostile process may say: every reply is either right or refused, and nothing else ever comes of it."""

from __future__ import annotations

import mmap
import random
import socket
import threading
import time
from collections.abc import Callable
from contextlib import suppress

import numpy as np
import orjson
import pytest

from inference.runtime.isolated import wire
from inference.runtime.isolated.conversation import Conversation
from inference.runtime.isolated.endings import Blame
from inference.runtime.isolated.layout import lay_out, write
from inference.runtime.isolated.replies import parse_needs, parse_outputs, parse_refusal
from inference.runtime.isolated.wire import HEADER, Gone, Kind, NotRead, OddReply
from portal.lib.errors import DeadlineExceeded, PortalError, Unprocessable
from registry.artifacts.signature import TensorSpec
from tests.inference.runtime.isolated.made import PLUS, rows, soon

SPECS = (TensorSpec("y", "FP32", (-1, 2)), TensorSpec("t", "BYTES", (-1,)))
ARRAYS = [np.array([[1, 2], [3, 4]], np.float32), np.array(["a", "", "é"], object)]


@pytest.fixture
def memory() -> mmap.mmap:
    return mmap.mmap(-1, 4096)


def right_reply(memory: mmap.mmap) -> list[list]:
    placed, _ = lay_out(ARRAYS)
    write(placed, memory)
    return [list(item.place) for item in placed]


def test_parse_outputs__right_reply__the_arrays(memory: mmap.mmap) -> None:
    reply = right_reply(memory)
    assert reply == [["FP32", (2, 2), 0, 16], ["BYTES", (3,), 64, 15]]
    y, t = parse_outputs(orjson.dumps(reply), SPECS, memory)
    assert (y.tolist(), t.tolist()) == ([[1.0, 2.0], [3.0, 4.0]], ["a", "", "é"])
    memory[:] = b"\0" * len(memory)
    assert y.tolist() == [[1.0, 2.0], [3.0, 4.0]]


@pytest.mark.parametrize(
    "entry",
    [
        None,
        [],
        ["FP32", [2, 2], 0],
        ["FP64", [2, 1], 0, 16],
        [["FP32"], [2, 2], 0, 16],
        ["FP32", "22", 0, 16],
        ["FP32", [2, -2], 0, 16],
        ["FP32", [-2, -2], 0, 16],
        ["FP32", [2, 2.0], 0, 16],
        ["FP32", [2, True], 0, 8],
        ["FP32", [2, None], 0, 16],
        ["FP32", [2, 2], 0, 15],
        ["FP32", [2, 2], 0, 17],
        ["FP32", [2, 2], -16, 16],
        ["FP32", [2, 2], 4081, 16],
        ["FP32", [2, 2], 1 << 62, 16],
        ["FP32", [2, 2], 0.0, 16],
        ["FP32", [2, 2], False, 16],
        ["FP32", [1 << 62, 1 << 62, 1 << 4], 0, 16],
        ["FP32", [0, 1 << 62, 1 << 62], 0, 0],
        ["FP32", [1 << 40], 0, 1 << 42],
        ["FP32", [1 << 70], 0, 16],
        ["FP32", [1] * 65, 0, 4],
        ["FP32", [2, 2], 64, 16],
    ],
)
def test_parse_outputs__odd_place__refused(memory: mmap.mmap, entry: object) -> None:
    reply = [entry, right_reply(memory)[1]]
    with pytest.raises(OddReply):
        parse_outputs(orjson.dumps(reply) if "1180591620717411303424" not in str(reply) else b"[]", SPECS, memory)


@pytest.mark.parametrize("body", [b"", b"{", b"null", b"[]", b"[1]", b'{"0":1,"1":2}', b"[" * 5000, b"\xff", b'"ab"'])
def test_parse_outputs__odd_body__refused(memory: mmap.mmap, body: bytes) -> None:
    with pytest.raises(OddReply):
        parse_outputs(body, SPECS, memory)


@pytest.mark.parametrize(
    "content",
    [
        b"\xff\xff\xff\x7f" + b"a" * 11,
        b"\x01\0\0\0\xff" + b"\0" * 10,
        b"\0" * 15,
        b"\x03\0\0\0abc\x05\0\0\0defg",
        b"\xff" * 15,
    ],
)
def test_parse_outputs__odd_texts__refused(memory: mmap.mmap, content: bytes) -> None:
    reply = right_reply(memory)
    memory[64:79] = content
    with pytest.raises(OddReply):
        parse_outputs(orjson.dumps(reply), SPECS, memory)


def test_parse_outputs__same_place_many_times__refused() -> None:
    """Otherwise a small memory would become a large answer."""
    memory = mmap.mmap(-1, 1 << 20)
    specs = [TensorSpec(f"y{i}", "UINT8", (-1,)) for i in range(1000)]
    with pytest.raises(OddReply):
        parse_outputs(orjson.dumps([["UINT8", [1 << 20], 0, 1 << 20]] * 1000), specs, memory)


def test_parsers__mutated_replies__right_or_odd(memory: mmap.mmap) -> None:
    """Numbers, brackets and bytes changed at random, in the reply and in the memory: 6,000 of them."""
    chance = random.Random(11)
    right = bytearray(orjson.dumps(right_reply(memory)))
    right_memory = memory[:128]
    odd = 0
    for _ in range(6000):
        body = bytearray(right)
        memory[:128] = right_memory
        for _ in range(chance.randint(1, 3)):
            body[chance.randrange(len(body))] = chance.choice(b'0123456789[],-."truefalsn{}:\x00\xff')
        memory[64 + chance.randrange(15)] = chance.randrange(256)
        for parse in (_outputs(memory), lambda body: parse_needs(body, 1 << 20), parse_refusal):
            try:
                parse(bytes(body))
            except OddReply:
                odd += 1
            except PortalError as error:
                assert error.code == "model_out_of_memory"
    assert odd > 12_000


def _outputs(memory: mmap.mmap) -> Callable[[bytes], object]:
    return lambda body: parse_outputs(body, SPECS, memory)


@pytest.mark.parametrize("body", [b"0", b"-1", b"1.5", b"true", b'"9"', b"null", b"[9]", b""])
def test_parse_needs__odd__refused(body: bytes) -> None:
    with pytest.raises(OddReply):
        parse_needs(body, 100)


def test_parse_needs__within_and_over_the_limit() -> None:
    assert parse_needs(b"100", 100) == 100
    with pytest.raises(Unprocessable) as caught:
        parse_needs(b"101", 100)
    assert caught.value.code == "model_out_of_memory"


def test_parse_refusal__known_codes__their_errors() -> None:
    assert parse_refusal(b'["model_refused", "No.\\u0000\\n\\u202eNo"]').message == "No.   No"
    assert parse_refusal(b'["output_not_json", ""]').message == "The model refused these values."
    assert len(parse_refusal(orjson.dumps(["model_refused", "x" * 9000])).message) == 300
    assert isinstance(parse_refusal(b'["deadline_exceeded", ""]'), DeadlineExceeded)
    assert parse_refusal(b'["model_out_of_memory", ""]').code == "model_out_of_memory"


@pytest.mark.parametrize(
    "body", [b'["internal", "x"]', b'["model_refused"]', b'["model_refused", 1]', b"[[], {}]", b"1"]
)
def test_parse_refusal__odd__refused(body: bytes) -> None:
    with pytest.raises(OddReply):
        parse_refusal(body)


def ask(say: Callable[[socket.socket], None], seconds: float = 5.0) -> tuple[BaseException, list[Blame]]:
    """What a run ends with whose other side reads the order and then does as `say` does; and what it is blamed for."""
    ours, theirs = socket.socketpair()
    blames: list[Blame] = []

    def kill(blame: Blame) -> None:
        blames.append(blame)
        ours.shutdown(socket.SHUT_RDWR)

    conversation = Conversation(ours, 1 << 20, kill)

    def serve() -> None:
        with theirs, suppress(EOFError):
            while wire.receive_order(theirs).kind != Kind.RUN:
                pass
            say(theirs)

    thread = threading.Thread(target=serve)
    thread.start()
    with pytest.raises((PortalError, Gone, NotRead)) as caught:
        conversation.run(rows(), PLUS.outputs, soon(seconds))
    thread.join()
    conversation.end()
    return caught.value, blames


@pytest.mark.parametrize(
    "said",
    [
        HEADER.pack(Kind.DONE, 1 << 31) + b"[]",
        HEADER.pack(Kind.DONE, 2) + b"[]",
        HEADER.pack(Kind.DONE, 2) + b"[]extra",
        HEADER.pack(Kind.READY, 4) + b"null",
        HEADER.pack(0, 0),
        HEADER.pack(255, 4) + b"null",
        wire.encode(Kind.DONE, [["FP32", [1, 4], 0, 16]]),
        wire.encode(Kind.REFUSED, "no"),
        wire.encode(Kind.NEEDS, "much"),
        b"\xff" * 70_000,
    ],
)
def test_run__odd_reply__422_and_the_process_is_killed(said: bytes) -> None:
    error, blames = ask(lambda theirs: theirs.sendall(said))
    assert (getattr(error, "code", None), blames) == ("model_crashed", ["odd"])


def test_run__more_memory_than_allowed_asked_for__422_and_told_so() -> None:
    heard: list[int] = []

    def say(theirs: socket.socket) -> None:
        wire.reply(theirs, Kind.NEEDS, 1 << 30)
        heard.append(wire.receive_order(theirs).kind)

    error, blames = ask(say)
    assert (getattr(error, "code", None), blames, heard) == ("model_out_of_memory", [], [Kind.FORGET_MEMORY])


def test_run__memory_asked_for_without_end__killed() -> None:
    def say(theirs: socket.socket) -> None:
        for _ in range(2):
            wire.reply(theirs, Kind.NEEDS, 100)
            wire.receive_order(theirs)

    error, blames = ask(say)
    assert (getattr(error, "code", None), blames) == ("model_crashed", ["odd"])


def test_run__closes_without_a_word__gone() -> None:
    error, blames = ask(lambda theirs: None)
    assert (type(error), blames) == (Gone, [])


def test_run__drips__504_all_the_same() -> None:
    """Bytes that keep coming do not move the deadline."""

    def say(theirs: socket.socket) -> None:
        theirs.sendall(HEADER.pack(Kind.DONE, 1000))
        try:
            for _ in range(200):
                theirs.sendall(b" ")
                time.sleep(0.01)
        except OSError:
            pass

    error, blames = ask(say, 0.05)
    assert (type(error), blames) == (DeadlineExceeded, ["hung"])


def test_run__nobody_there__never_begun() -> None:
    ours, theirs = socket.socketpair()
    theirs.close()
    conversation = Conversation(ours, 1 << 20, lambda blame: None)
    for _ in range(2):
        with pytest.raises(NotRead):
            conversation.run(rows(), PLUS.outputs, soon())
    assert conversation.end() is False
    with pytest.raises(NotRead):
        conversation.run(rows(), PLUS.outputs, soon())


def test_run__closed_with_the_order_unread__never_begun() -> None:
    ours, theirs = socket.socketpair()
    conversation = Conversation(ours, 1 << 20, lambda blame: None)
    thread = threading.Thread(target=lambda: (wire.receive_order(theirs), theirs.close()))
    thread.start()
    with pytest.raises(NotRead):
        conversation.run(rows(), PLUS.outputs, soon())
    thread.join()
    assert conversation.end() is False
