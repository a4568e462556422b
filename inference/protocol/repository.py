"""V2's model repository extension: the index, and the bodies of load and unload.

What is loaded is chosen by promoting versions; a caller may not send a model or its configuration along.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from inference.protocol.parameters import flag, parameters_of
from inference.protocol.strict_json import parse_small_object
from portal.lib.errors import InvalidInput


class State(StrEnum):
    READY = "READY"
    UNAVAILABLE = "UNAVAILABLE"
    LOADING = "LOADING"


@dataclass(frozen=True, slots=True)
class IndexEntry:
    """A version at an endpoint; `version` is empty where nothing is served. `reason` says why it is not ready."""

    name: str
    version: str
    state: State
    reason: str = ""


def index(entries: Iterable[IndexEntry], *, only_ready: bool = False) -> list[dict[str, str]]:
    """The answer's document. `only_ready` is what `decode_index` read."""
    return [
        {"name": entry.name, "version": entry.version, "state": entry.state.value, "reason": entry.reason}
        for entry in entries
        if entry.state is State.READY or not only_ready
    ]


def decode_index(body: bytes) -> bool:
    """Whether only what is ready is asked for. The body may be empty. Raises InvalidInput."""
    ready = parse_small_object(body).get("ready")
    if ready is not None and type(ready) is not bool:
        raise InvalidInput('"ready" must be true or false.', code="invalid_parameters")
    return bool(ready)


def check_load(body: bytes) -> None:
    """Raises InvalidInput. The body may be empty; parameters that are not of the extension are ignored."""
    parameters = _parameters(body)
    if "config" in parameters or any(key.startswith("file:") for key in parameters):
        raise InvalidInput(
            "A model or its configuration cannot be sent with load: upload a version and promote it.",
            code="load_parameters_not_supported",
        )


def check_unload(body: bytes) -> None:
    """Raises InvalidInput. No model depends on another, so `unload_dependents` changes nothing."""
    flag(_parameters(body), "unload_dependents")


def _parameters(body: bytes) -> dict[str, Any]:
    return parameters_of(parse_small_object(body), "The request")
