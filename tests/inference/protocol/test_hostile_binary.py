from __future__ import annotations

import gzip
import json
import random
import zlib
from collections import Counter

import numpy as np
import pytest

from inference.protocol import compression, v1, v2
from inference.protocol.request import InferRequest
from inference.runtime.tensors import DTYPES
from portal.lib.errors import PortalError
from registry.artifacts.signature import Signature
from tests.hostile_bodies import GOOD
from tests.inference.protocol.hostile_binary import (
    BINARY_HEADER,
    ENCODING,
    GOOD_BINARY,
    GOOD_V1,
    HOSTILE,
    LENGTH,
    LIMIT,
    ROW,
    Hostile,
)
from tests.inference.protocol.mutants import IRIS, SEEDS, SQUEEZE, Seed, mutant

ROUNDS = 10_000


def read(verb: str, headers: dict[str, str], content: bytes, signature: Signature = IRIS) -> InferRequest:
    """In the order of the prediction path: headers, compression, format."""
    length = v2.header_length(headers.get(LENGTH))
    content = compression.inflate(content, headers.get(ENCODING, ""), LIMIT)
    return v1.decode_predict(content, signature) if verb == "predict" else v2.decode_infer(content, signature, length)


@pytest.mark.parametrize("hostile", HOSTILE, ids=[hostile.name for hostile in HOSTILE])
def test_decode__hostile_request__refused_with_its_code(hostile: Hostile) -> None:
    with pytest.raises(PortalError) as caught:
        read(hostile.verb, hostile.headers, hostile.body)
    assert (caught.value.status, caught.value.code) == (hostile.status, hostile.code)
    assert 10 < len(caught.value.message) < 300
    assert caught.value.message.isprintable()


@pytest.mark.parametrize(
    ("verb", "headers", "content"),
    [
        ("infer", {LENGTH: str(len(BINARY_HEADER))}, GOOD_BINARY),
        ("infer", {LENGTH: "0"}, ROW),
        ("infer", {ENCODING: "gzip"}, gzip.compress(GOOD, mtime=0)),
        ("infer", {LENGTH: str(len(BINARY_HEADER)), ENCODING: "deflate"}, zlib.compress(GOOD_BINARY)),
        ("predict", {}, json.dumps(GOOD_V1).encode()),
    ],
)
def test_decode__what_the_hostile_ones_are_made_from__accepted(
    verb: str, headers: dict[str, str], content: bytes
) -> None:
    assert np.array_equal(read(verb, headers, content).inputs["X"], np.array([[5.1, 3.5, 1.4, 0.2]], np.float32))


@pytest.mark.parametrize("encoding", SQUEEZE)
@pytest.mark.parametrize("seed", SEEDS)
def test_decode__seeds_of_the_mutants__accepted(seed: Seed, encoding: str) -> None:
    check(read(*seed.sent(encoding)), seed.signature)


def test_decode__mutated_requests__a_request_or_a_refusal() -> None:
    dice = random.Random(11)
    seen: Counter[str] = Counter()
    for turn in range(ROUNDS):
        seed = SEEDS[turn % len(SEEDS)]
        try:
            request = read(*mutant(seed, dice))
        except PortalError as error:
            assert error.status in (400, 413, 415)
            assert len(error.message) < 400
            seen[error.code] += 1
        else:
            seen["accepted"] += 1
            check(request, seed.signature)
    assert len(seen) > 15


def check(request: InferRequest, signature: Signature) -> None:
    for spec in signature.inputs:
        array = request.inputs[spec.name]
        assert array.dtype == DTYPES[spec.datatype]
        assert not array.flags.writeable
        assert all(wanted in (-1, size) for size, wanted in zip(array.shape, spec.shape, strict=True))
        if spec.datatype == "BOOL":
            assert set(array.view(np.uint8).ravel().tolist()) <= {0, 1}
