"""What a sandbox child and the zygote say about one model, as lines of JSON. The child's part is untrusted."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from registry.artifacts.report import STEPS, NotAReport, Report, parse

OnStep = Callable[[str], None]


@dataclass(slots=True)
class Conversation:
    """What child and zygote said. `verdict` stays None when the zygote died."""

    on_step: OnStep
    limit: int
    buffer: bytearray = field(default_factory=bytearray)
    received: int = 0
    steps: list[tuple[str, float]] = field(default_factory=list)
    sandbox: dict[str, Any] = field(default_factory=dict)
    report: Report | None = None
    broken: bool = False
    verdict: dict[str, Any] | None = None

    def hear(self, data: bytes) -> None:
        self.received += len(data)
        if self.received > self.limit:
            self.broken = True
        if self.broken:
            return
        self.buffer += data
        *lines, rest = self.buffer.split(b"\n")
        self.buffer = bytearray(rest)
        for line in lines:
            step = self._take(bytes(line))
            if step is not None:
                self.on_step(step)

    def close(self) -> None:
        """It holds nothing but words."""

    def _take(self, line: bytes) -> str | None:
        """The name of the step that begins, if this line says so."""
        try:
            message = parse(line)
            if "step" in message:
                return self._begin(message["step"])
            if "report" in message:
                self.report = Report.from_json(message["report"])
            else:
                self.sandbox = _sandbox(message["sandbox"])
        except (ValueError, TypeError, KeyError, RecursionError):
            self.broken = True
        return None

    def _begin(self, name: Any) -> str:
        if name not in STEPS or any(name == seen for seen, _ in self.steps):
            raise NotAReport("step")
        self.steps.append((name, time.monotonic()))
        return str(name)


def _sandbox(value: Any) -> dict[str, Any]:
    abi = value["landlock"]
    if abi is not None and type(abi) is not int:
        raise NotAReport("landlock")
    return {"landlock": abi}
