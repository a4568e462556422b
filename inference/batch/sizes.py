"""How many rows go together: into a chunk, which one worker claims, and into a block, which the model gets at once.

Both depend on the version and its layout alone, never on the clock: so a chunk computed again gives the same bytes.
"""

from __future__ import annotations

from typing import Any

from inference.batch.layout import InputLayout, Layout
from inference.batch.writers import Writer

CHUNK_ROWS = 20_000
CHUNK_BYTES = 4 << 20
CHUNK_OUTPUT_VALUES = 2_000_000
BLOCK_ROWS = 1024
BLOCK_VALUES = 4 << 20
BLOCK_SECONDS = 0.5
CHUNK_SECONDS = 5.0


def block_rows(layout: Layout, facts: dict[str, Any]) -> int:
    values = sum(_values(item) for item in layout.inputs)
    return _bounded(min(BLOCK_VALUES // values, _within(BLOCK_SECONDS, facts)), BLOCK_ROWS)


def chunk_rows(writer: Writer, facts: dict[str, Any]) -> int:
    values = sum(_values(item) for item in writer.outputs)
    return _bounded(min(CHUNK_OUTPUT_VALUES // values, _within(CHUNK_SECONDS, facts)), CHUNK_ROWS)


def _values(item: InputLayout) -> int:
    return max(1, item.width or 1)


def _within(seconds: float, facts: dict[str, Any]) -> int:
    """Rows in so many seconds, by the time that one row took at validation; a batch is never slower than its rows."""
    one_row = facts.get("run_seconds")
    return int(seconds / one_row) if isinstance(one_row, float) and one_row > 0 else CHUNK_ROWS


def _bounded(rows: int, most: int) -> int:
    return max(1, min(most, rows))
