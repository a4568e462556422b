from __future__ import annotations

from tests.fixtures import plain_static_files, serving

__all__ = ["plain_static_files", "serving"]
