"""What a model may cost while it is looked at. Sizes in bytes, times in seconds."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

GIGABYTE = 1 << 30

# What onnxruntime 1.31 loads; a test measures it again with the installed one.
MIN_IR_VERSION = 3
MAX_IR_VERSION = 13
MIN_OPSET = 7
MAX_OPSETS: dict[str, int] = {"": 26, "ai.onnx.ml": 5, "com.microsoft": 1}

# A protobuf message, and therefore one ONNX file, holds at most 2 GB.
MAX_MODEL_BYTES = (1 << 31) - 1


@dataclass(frozen=True, slots=True)
class Limits:
    """Limits of one validation. Memory counts on top of what the empty sandbox occupies."""

    wall_seconds: float = 30.0
    # On top of it, for a processor that others have.
    waiting_seconds: float = 30.0
    cpu_seconds: int = 20
    memory_bytes: int = 2 * GIGABYTE
    memory_per_file_byte: int = 6
    # Less than the 8 MB of a serving thread, so that what fits here fits there with room to spare.
    stack_bytes: int = 4 << 20
    open_files: int = 64
    report_bytes: int = 1 << 20
    max_nodes: int = 50_000
    max_messages: int = 2_000_000
    max_nesting: int = 64
    max_tensors: int = 1_000
    max_name_length: int = 256
    probe_input_bytes: int = 256 << 20
    probe_seconds: float = 2.0
    timing_seconds: float = 0.05
    joining_seconds: float = 0.3
    joining_bytes: int = 512 << 20
    # What comes out of an archive.
    unpacked_bytes: int = 5 * GIGABYTE

    def memory_for(self, file_bytes: int) -> int:
        return max(self.memory_bytes, self.memory_per_file_byte * file_bytes)

    def scaled(self, seconds: float, file_bytes: int) -> float:
        """Half again for each gigabyte of the file, as reading it alone takes seconds."""
        return seconds * (1 + 0.5 * file_bytes / GIGABYTE)

    def as_json(self) -> dict[str, Any]:
        return asdict(self)
