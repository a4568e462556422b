"""How static files are stored: with their hash in the name, and gzipped once instead of at every request."""

from __future__ import annotations

from typing import Any

from whitenoise.compress import Compressor
from whitenoise.storage import CompressedManifestStaticFilesStorage


class GzipManifestStorage(CompressedManifestStaticFilesStorage):
    """Without Brotli, also where it happens to be installed: it takes 15 s of a first start to save little."""

    def create_compressor(self, **options: Any) -> Compressor:
        return Compressor(use_brotli=False, **options)
