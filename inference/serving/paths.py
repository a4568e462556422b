"""The URLs that predict, in every protocol, and what they name."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import NamedTuple
from urllib.parse import unquote

from inference.serving.codecs import V1, V2, Codec

_V2 = re.compile(r"/v2/models/([^/]+)(?:/versions/([^/]+))?/infer\Z")
_V1 = re.compile(r"/v1/models/([^/:]+)(?:/versions/([0-9]+)|/labels/([^/:]+))?:predict\Z")


class PredictionPath(NamedTuple):
    """`version` is a number or an alias, or None where the endpoint's split decides."""

    codec: Codec
    slug: str
    version: str | None


@lru_cache(4096)
def prediction_path(path: str) -> PredictionPath | None:
    """None for every URL that does not predict."""
    if found := _V2.match(path):
        return PredictionPath(V2, found[1], found[2] and unquote(found[2]))
    if found := _V1.match(path):
        return PredictionPath(V1, found[1], found[2] or (found[3] and unquote(found[3])))
    return None
