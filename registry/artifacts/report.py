"""The verdict on an uploaded file. What the sandbox sends is untrusted: `from_json` checks every part it takes."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

from registry.artifacts.signature import NUMPY_DTYPES, Signature

READY = "ready"
REJECTED = "rejected"
STEPS = ("lint", "checker", "load", "probe")

_DATATYPES = {*NUMPY_DTYPES, "BF16"}
_MAX_MESSAGE = 1_000
_MAX_RANK = 32


@dataclass(frozen=True, slots=True)
class Rejection:
    """Why a file is not taken: `code` for programs, one sentence that says what to do for people."""

    code: str
    message: str


class Rejected(Exception):
    """Raised inside the sandbox to end a validation."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.rejection = Rejection(code, message)


class NotAReport(ValueError):
    """What came out of the sandbox does not have the shape of a report."""


@dataclass(frozen=True, slots=True)
class Report:
    """`facts` and `steps` are JSON-ready; `code` and `message` are empty when the model is ready."""

    status: str
    code: str = ""
    message: str = ""
    signature: Signature | None = None
    facts: dict[str, Any] = field(default_factory=dict)
    warnings: tuple[dict[str, str], ...] = ()
    steps: tuple[dict[str, Any], ...] = ()
    sandbox: dict[str, Any] = field(default_factory=dict)

    @property
    def ready(self) -> bool:
        return self.status == READY

    @classmethod
    def rejected(cls, rejection: Rejection, **parts: Any) -> Report:
        return cls(status=REJECTED, code=rejection.code, message=rejection.message, **parts)

    def as_json(self) -> dict[str, Any]:
        return {
            "status": self.status,
            "code": self.code,
            "message": self.message,
            "signature": self.signature.as_json() if self.signature else None,
            "facts": self.facts,
            "warnings": list(self.warnings),
            "steps": list(self.steps),
            "sandbox": self.sandbox,
        }

    @classmethod
    def from_json(cls, data: Any) -> Report:
        """Raises NotAReport, or another ValueError or TypeError, when the data does not have the shape of a report."""
        data = _mapping(data)
        status = data.get("status")
        if status not in (READY, REJECTED):
            raise NotAReport("status")
        signature = _signature(data["signature"]) if data.get("signature") is not None else None
        if status == READY and signature is None:
            raise NotAReport("signature")
        return cls(
            status=status,
            code=_text(data.get("code", ""), 64),
            message=_text(data.get("message", ""), _MAX_MESSAGE),
            signature=signature,
            facts=_facts(data.get("facts", {})),
            warnings=tuple(_warning(item) for item in _items(data.get("warnings", []))),
            steps=tuple(_step(item) for item in _items(data.get("steps", []))),
            sandbox=_mapping(data.get("sandbox", {})),
        )


def parse(line: bytes) -> Any:
    """Strict JSON: NaN and Infinity are refused, as PostgreSQL's jsonb cannot hold them, nor NUL."""

    def refuse(literal: str) -> Any:
        raise NotAReport(literal)

    if b"\\u0000" in line:
        raise NotAReport("NUL")
    return json.loads(line, parse_constant=refuse)


def _mapping(value: Any) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise NotAReport("not an object")
    return value


def _facts(value: Any) -> dict[str, Any]:
    """Those that serving goes by must be what it expects; the others are only shown."""
    facts = _mapping(value)
    if type(facts.get("isolated", False)) is not bool:
        raise NotAReport("isolated")
    for code in _items(facts.get("isolation_reasons", [])):
        _text(code, 64)
    for labels in _mapping(facts.get("labels", {})).values():
        if any(type(label) not in (int, str) for label in _labels(labels)):
            raise NotAReport("labels")
    _check_parts(facts.get("batching"), max_size=int, gain=float)
    _check_parts(facts.get("probe_inputs"), values=str, free=int)
    return facts


def _check_parts(value: Any, **kinds: type) -> None:
    if value is not None and {name: type(part) for name, part in _mapping(value).items()} != kinds:
        raise NotAReport("facts")


def _labels(value: Any) -> list[Any]:
    if not isinstance(value, list):
        raise NotAReport("labels")
    return value


def _items(value: Any) -> list[Any]:
    if not isinstance(value, list) or len(value) > 1_000:
        raise NotAReport("not a list")
    return value


def _text(value: Any, limit: int) -> str:
    if not isinstance(value, str) or len(value) > limit:
        raise NotAReport("not a text")
    return value


def _warning(value: Any) -> dict[str, str]:
    value = _mapping(value)
    return {"code": _text(value.get("code"), 64), "message": _text(value.get("message"), _MAX_MESSAGE)}


def _step(value: Any) -> dict[str, Any]:
    value = _mapping(value)
    if value.get("name") not in STEPS or value.get("status") not in ("ok", "failed", "refused", "skipped"):
        raise NotAReport("step")
    return {"name": value["name"], "status": value["status"], "seconds": float(value.get("seconds", 0))}


def _signature(value: Any) -> Signature:
    value = _mapping(value)
    for spec in (*_items(value.get("inputs")), *_items(value.get("outputs"))):
        _check_spec(_mapping(spec))
    return Signature.from_json(value)


def _check_spec(spec: dict[str, Any]) -> None:
    if not _text(spec.get("name"), _MAX_MESSAGE) or spec.get("datatype") not in _DATATYPES:
        raise NotAReport("tensor")
    shape = _items(spec.get("shape"))
    if len(shape) > _MAX_RANK or any(type(size) is not int or size < -1 for size in shape):
        raise NotAReport("shape")
