from __future__ import annotations

from registry.artifacts.feeds import Guess, InputSlot, feed, n_bytes, rows, shapes

ZEROS = Guess("zeros", 8)


def test_shapes__free_dimensions__batch_first_guess_elsewhere() -> None:
    slots = (InputSlot("a", "FP32", ("N", 3, None, "T")), InputSlot("b", "INT64", ("T", "N")))
    assert shapes((slots[0],), ZEROS, 2) == [(2, 3, 8, 8)]
    assert shapes(slots, ZEROS, 2) == [(2, 3, 8, 2), (2, 2)]


def test_shapes__scalar_and_negative__taken_as_declared_and_free() -> None:
    assert shapes((InputSlot("a", "FP32", ()), InputSlot("b", "FP32", (-1, 0, -1))), ZEROS, 1) == [(), (1, 0, 8)]


def test_feed__each_datatype__has_its_dtype() -> None:
    for datatype, dtype in {
        "FP16": "float16",
        "FP64": "float64",
        "BOOL": "bool",
        "UINT8": "uint8",
        "BYTES": "object",
    }.items():
        for values in ("zeros", "ones", "random"):
            array = feed((InputSlot("x", datatype, ("N", 2)),), Guess(values, 8), 3)["x"]
            assert (array.dtype, array.shape) == (dtype, (3, 2))


def test_feed__random__same_each_time_and_rows_differ() -> None:
    slots = (InputSlot("x", "FP32", ("N", 4)),)
    first, second = (feed(slots, Guess("random", 8), 2)["x"] for _ in range(2))
    assert first.tolist() == second.tolist()
    assert first[0].tolist() != first[1].tolist()


def test_n_bytes__huge_input__counted_without_making_it() -> None:
    assert n_bytes((InputSlot("x", "FP64", (1_000_000, 1_000_000)),), ZEROS, 1) == 8 * 10**12


def test_rows__batch__cut_into_single_rows() -> None:
    parts = list(rows(feed((InputSlot("x", "INT64", ("N", 2)),), Guess("ones", 8), 2)))
    assert [part["x"].tolist() for part in parts] == [[[1, 1]], [[1, 1]]]
