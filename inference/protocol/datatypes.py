"""V2's datatypes by what their values are."""

from __future__ import annotations

FLOATS = frozenset({"FP16", "FP32", "FP64"})
# BF16 has no place in JSON requests and tables, but models answer with it.
FRACTIONS = FLOATS | {"BF16"}
INTEGERS = frozenset({"INT8", "INT16", "INT32", "INT64", "UINT8", "UINT16", "UINT32", "UINT64"})
