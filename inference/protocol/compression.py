"""Content-Encoding of bodies and answers: gzip and deflate."""

from __future__ import annotations

import re
import zlib

from portal.lib.errors import InvalidInput, TooLarge, UnsupportedMedia

# The window sizes by which zlib knows the formats.
GZIP, ZLIB, RAW_DEFLATE = 31, 15, -15
WINDOWS = {"gzip": GZIP, "deflate": ZLIB}
IDENTITY = ("", "identity")
FASTEST = 1
WEIGHT = re.compile(r"q=(0(?:\.\d{0,3})?|1(?:\.0{0,3})?)")


def check_encoding(encoding: str) -> None:
    """Raises UnsupportedMedia for what `inflate` cannot undo. Case does not matter."""
    if encoding.lower() not in (*WINDOWS, *IDENTITY):
        raise UnsupportedMedia(
            "This Content-Encoding is not supported: send gzip, deflate, or no compression.",
            code="unsupported_encoding",
        )


def inflate(body: bytes, encoding: str, limit: int) -> bytes:
    """Raises UnsupportedMedia, InvalidInput (`broken_compression`), or TooLarge before more than `limit` bytes exist.

    `deflate` is the zlib format by the standard, but some clients send it without zlib's frame: both are read. A body
    is one compressed stream; a second one behind it is refused like any other bytes there.
    """
    check_encoding(encoding)
    if encoding.lower() in IDENTITY:
        return body
    stream = zlib.decompressobj(_window(body, encoding.lower()))
    try:
        content = stream.decompress(body, limit + 1)
    except zlib.error:
        raise _broken("is not what its Content-Encoding says") from None
    if len(content) > limit:
        raise TooLarge(f"The body is larger than the limit of {limit} bytes once it is decompressed: send fewer rows.")
    if not stream.eof:
        raise _broken("ends early")
    if stream.unused_data:
        raise _broken("has bytes behind its end")
    return content


def _window(body: bytes, encoding: str) -> int:
    """A zlib frame begins with two bytes that name the method (8) and together are a multiple of 31."""
    if encoding == "gzip":
        return GZIP
    framed = len(body) > 1 and body[0] & 15 == 8 and (body[0] * 256 + body[1]) % 31 == 0
    return ZLIB if framed else RAW_DEFLATE


def _broken(what: str) -> InvalidInput:
    return InvalidInput(f"The compressed body {what}: send it again.", code="broken_compression")


def choose(accept_encoding: str | None) -> str | None:
    """The encoding that the caller likes best, gzip where all are equal; None for no compression."""
    if not accept_encoding:
        return None
    weights = dict(_weighed(item) for item in accept_encoding.lower().split(","))
    others = weights.get("*", 0.0)
    best = max(WINDOWS, key=lambda name: weights.get(name, others))
    weight = weights.get(best, others)
    return best if weight > 0 and weight >= weights.get("identity", 0.0) else None


def _weighed(item: str) -> tuple[str, float]:
    """`gzip;q=0.5` as a name and its weight: 1 where none is given, 0 where it is none."""
    name, semicolon, weight = item.partition(";")
    if not semicolon:
        return name.strip(), 1.0
    found = WEIGHT.fullmatch(weight.strip().replace(" ", ""))
    return name.strip(), float(found[1]) if found else 0.0


def deflate(body: bytes, encoding: str) -> bytes:
    """`encoding` as `choose` has it."""
    stream = zlib.compressobj(FASTEST, zlib.DEFLATED, WINDOWS[encoding])
    return stream.compress(body) + stream.flush()
