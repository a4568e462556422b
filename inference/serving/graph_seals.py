"""Seals for rearranged graphs, by the same key as those of versions; neither kind can stand for the other."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import structlog

from registry.artifacts.seals import Tampered, check_seal
from registry.services.keys import signer, trusted_keys

log = structlog.get_logger(__name__)


class GraphSeals:
    def seal(self, original: str, kept: str) -> dict[str, Any]:
        return signer().seal(_name(original, kept), {})

    def holds(self, original: str, kept: str, seal: Mapping[str, Any]) -> bool:
        try:
            check_seal(trusted_keys(), _name(original, kept), seal)
        except Tampered as error:
            log.error("optimized_graph_tampered", sha256=original, found=str(error))
            return False
        return True


def _name(original: str, kept: str) -> str:
    """No version's digest looks like it."""
    return f"optimized:{original}:{kept}"
