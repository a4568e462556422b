"""The pure parts: when to start again, what an exit status means, how arrays lie."""

from __future__ import annotations

import fcntl
import mmap
import os
import signal

import numpy as np
import pytest

from inference.runtime.isolated.backoff import BackOff
from inference.runtime.isolated.endings import EXIT_MEMORY, Blame, Ending, judge
from inference.runtime.isolated.layout import lay_out, pack_texts, read, unpack_texts, write
from inference.runtime.isolated.segment import make_segment, open_segment, roomy


def test_back_off__ends_in_a_row__at_once_then_doubling_to_a_minute() -> None:
    back_off = BackOff()
    assert [back_off.delay(float(i)) for i in range(10)] == [0, 1, 2, 4, 8, 16, 32, 60, 60, 60]


def test_back_off__ten_quiet_minutes__begins_anew() -> None:
    back_off = BackOff()
    assert [back_off.delay(at) for at in (0.0, 1.0, 600.9, 1200.9, 1201.0)] == [0, 1, 2, 0, 1]


def test_back_off__thousands_of_ends__still_a_minute() -> None:
    back_off = BackOff()
    assert {back_off.delay(float(i)) for i in range(5000)} == {0.0, 1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 60.0}


@pytest.mark.parametrize(
    ("code", "blame", "ending"),
    [
        (-signal.SIGFPE, "", Ending("crashed", "SIGFPE")),
        (-signal.SIGSEGV, "", Ending("crashed", "SIGSEGV")),
        (-signal.SIGKILL, "", Ending("out_of_memory", "SIGKILL")),
        (EXIT_MEMORY, "", Ending("out_of_memory")),
        (1, "", Ending("crashed")),
        (0, "", Ending("crashed")),
        (-signal.SIGKILL, "hung", Ending("hung")),
        (-signal.SIGKILL, "odd", Ending("crashed")),
        (-signal.SIGKILL, "stopped", Ending(None)),
        (-63, "", Ending("crashed", "signal 63")),
    ],
)
def test_judge__each_way_to_end(code: int, blame: Blame, ending: Ending) -> None:
    assert judge(code, blame) == ending


def test_lay_out__several__aligned_and_read_back() -> None:
    arrays = [
        np.arange(3, dtype=np.int8),
        np.array(2.5),
        np.zeros((0, 7), np.float16),
        np.array([["é", b"\xff"]], object),
    ]
    placed, size = lay_out(arrays)
    assert [(item.place.offset, item.place.size) for item in placed] == [(0, 3), (64, 8), (128, 0), (128, 11)]
    assert size == 139
    memory = mmap.mmap(-1, 139)
    write(placed, memory)
    for array, item in zip(arrays, placed, strict=True):
        again = read(item.place, memory, copy=True)
        assert (again.dtype, again.shape, again.tolist()) == (array.dtype, array.shape, array.tolist())


def test_texts__packed__unpack_to_the_same() -> None:
    values = ["", "a\0b", b"", b"\xff\x00", "é" * 1000]
    assert unpack_texts(pack_texts(values), 5) == values


@pytest.mark.parametrize("values", [[None], [1], [float("nan")], ["\ud800"], [["a"]]])
def test_pack_texts__no_text__refused(values: list) -> None:
    with pytest.raises(ValueError):
        pack_texts(values)


def test_segment__made__cannot_be_made_smaller_or_larger() -> None:
    size = roomy(100_000)
    assert (size, roomy(0)) == (126_976, 65_536)
    descriptor, ours = make_segment(size)
    for other in (0, size // 2, size * 2):
        with pytest.raises(PermissionError):
            os.ftruncate(descriptor, other)
    with pytest.raises(PermissionError):
        fcntl.fcntl(descriptor, fcntl.F_ADD_SEALS, fcntl.F_SEAL_WRITE)
    theirs = open_segment(descriptor, size, read_only=True)
    ours[5:8] = b"abc"
    assert theirs[5:8] == b"abc"
    with pytest.raises(TypeError):
        theirs[0] = 1
    with pytest.raises(OSError):
        os.fstat(descriptor)
