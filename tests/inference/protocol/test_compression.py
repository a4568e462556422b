from __future__ import annotations

import gzip
import zlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from inference.protocol.compression import check_encoding, choose, deflate, inflate
from portal.lib.errors import InvalidInput, TooLarge, UnsupportedMedia


def raw_deflate(body: bytes) -> bytes:
    stream = zlib.compressobj(wbits=-15)
    return stream.compress(body) + stream.flush()


@settings(max_examples=60, deadline=None)
@given(st.binary(max_size=300))
def test_inflate__any_body_in_any_encoding__comes_back(body: bytes) -> None:
    for encoding in ("gzip", "deflate"):
        assert inflate(deflate(body, encoding), encoding, 300) == body
    assert inflate(gzip.compress(body, mtime=0), "GZIP", 300) == body
    assert inflate(zlib.compress(body), "deflate", 300) == body
    assert inflate(raw_deflate(body), "deflate", 300) == body
    assert inflate(body, "identity", 0) == inflate(body, "", 0) == body


@pytest.mark.parametrize(("encoding", "compress"), [("gzip", gzip.compress), ("deflate", zlib.compress)])
def test_inflate__at_the_limit__accepted_and_one_beyond_refused(encoding: str, compress: object) -> None:
    packed = compress(bytes(1000))  # type: ignore[operator]
    assert inflate(packed, encoding, 1000) == bytes(1000)
    with pytest.raises(TooLarge):
        inflate(packed, encoding, 999)


@pytest.mark.parametrize(
    "body", [b"", b"x", gzip.compress(b"a", mtime=0)[:-1], gzip.compress(b"a", mtime=0) + b"\0", zlib.compress(b"a")]
)
def test_inflate__broken_gzip__refused(body: bytes) -> None:
    with pytest.raises(InvalidInput) as caught:
        inflate(body, "gzip", 100)
    assert caught.value.code == "broken_compression"


@pytest.mark.parametrize("encoding", ["br", "zstd", "compress", "gzip, deflate", "gzip,gzip", "gzip;q=1", "x"])
def test_check_encoding__unknown__415(encoding: str) -> None:
    with pytest.raises(UnsupportedMedia) as caught:
        check_encoding(encoding)
    assert caught.value.status == 415
    check_encoding("GZip")


@pytest.mark.parametrize(
    ("accept", "expected"),
    [
        (None, None),
        ("", None),
        ("identity", None),
        ("br", None),
        ("gzip", "gzip"),
        ("deflate", "deflate"),
        ("gzip, deflate", "gzip"),
        ("deflate, gzip, br", "gzip"),
        ("gzip;q=0.5, deflate", "deflate"),
        ("GZIP ; Q=0.5", "gzip"),
        ("gzip;q=0", None),
        ("gzip;q=0, deflate;q=0.001", "deflate"),
        ("*", "gzip"),
        ("*;q=0", None),
        ("gzip;q=0, *", "deflate"),
        ("identity, *;q=0.5", None),
        ("identity;q=0.5, gzip", "gzip"),
        ("gzip;q=2", None),
        ("gzip;q=-1", None),
        ("gzip;q=nan", None),
        ("gzip;level=1", None),
        (",,;;q=,", None),
    ],
)
def test_choose__accept_encoding__the_best_that_we_have(accept: str | None, expected: str | None) -> None:
    assert choose(accept) == expected


@settings(max_examples=200, deadline=None)
@given(st.text(alphabet="gzipdeflat*;q=,.01 \t\0é", max_size=40))
def test_choose__anything__an_encoding_or_none(accept: str) -> None:
    assert choose(accept) in ("gzip", "deflate", None)
