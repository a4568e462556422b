"""What a version takes and gives."""

from __future__ import annotations

from registry.artifacts.signature import Signature
from registry.models import ModelVersion


def signature_of(version: ModelVersion) -> Signature:
    """Nothing in and nothing out before it is validated."""
    return Signature.from_json(version.signature or {"inputs": [], "outputs": []})
