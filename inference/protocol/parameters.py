"""The `parameters` objects of V2: of the request, of an input, of an output. Unknown ones are ignored."""

from __future__ import annotations

from typing import Any

from portal.lib.errors import InvalidInput

MAX_PRIORITY = 2**31
SEQUENCE_KEYS = ("sequence_id", "sequence_start", "sequence_end")


def parameters_of(holder: dict[str, Any], owner: str) -> dict[str, Any]:
    """`owner` is how a sentence names the holder."""
    parameters = holder.get("parameters")
    if parameters is None:
        return {}
    if type(parameters) is not dict:
        raise _invalid(f"{owner}: parameters must be an object.")
    return parameters


def flag(parameters: dict[str, Any], key: str, default: bool = False) -> bool:
    value = parameters.get(key)
    if value is None:
        return default
    if type(value) is not bool:
        raise _invalid(f"The parameter {key} must be true or false.")
    return value


def timeout_seconds(parameters: dict[str, Any]) -> float | None:
    """On the wire, `timeout` is in microseconds."""
    value = parameters.get("timeout")
    if value is None:
        return None
    if type(value) is not int or value < 1:
        raise _invalid("The parameter timeout must be a number of microseconds: an integer, 1 or more.")
    return value / 1e6


def priority(parameters: dict[str, Any]) -> int:
    value = parameters.get("priority")
    if value is None:
        return 0
    if type(value) is not int or not 0 <= value <= MAX_PRIORITY:
        raise _invalid(f"The parameter priority must be an integer from 0 to {MAX_PRIORITY}; 1 is the highest.")
    return value


def refuse_sequences(parameters: dict[str, Any]) -> None:
    """0, "" and false say that the request belongs to no sequence."""
    if any(parameters.get(key) for key in SEQUENCE_KEYS):
        raise InvalidInput(
            "Sequences are not supported: leave out sequence_id, sequence_start and sequence_end.",
            code="sequence_not_supported",
        )


def refuse_shared_memory(parameters: dict[str, Any]) -> None:
    if "shared_memory_region" in parameters:
        raise InvalidInput(
            "Shared memory is not supported; send the values in the body.", code="shared_memory_not_supported"
        )


def _invalid(sentence: str) -> InvalidInput:
    return InvalidInput(sentence, code="invalid_parameters")
