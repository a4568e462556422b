"""What a loaded version can do, whether it runs in this process or in one of its own."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np

from registry.artifacts.signature import Signature


class Session(Protocol):
    @property
    def signature(self) -> Signature: ...

    @property
    def memory_bytes(self) -> int: ...

    def run(
        self, inputs: dict[str, np.ndarray], outputs: Sequence[str] | None = None, *, deadline: float | None = None
    ) -> list[np.ndarray]:
        """The outputs in the order asked for, or in the signature's. `deadline` is in seconds of `time.monotonic`.

        Raises Unprocessable (`model_refused`), DeadlineExceeded or Unavailable. bfloat16 goes in and comes out as
        arrays of `ml_dtypes.bfloat16`.
        """
        ...

    def close(self) -> None: ...
