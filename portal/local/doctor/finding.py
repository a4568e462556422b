"""One line of the doctor's report."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Level(StrEnum):
    OK = "ok"
    WARN = "warn"
    FAIL = "fail"


@dataclass(frozen=True)
class Finding:
    subject: str
    level: Level
    text: str

    def __str__(self) -> str:
        return f"{self.level:<5}{self.subject:<16}{self.text}"


def ok(subject: str, text: str) -> Finding:
    return Finding(subject, Level.OK, text)


def warn(subject: str, text: str) -> Finding:
    return Finding(subject, Level.WARN, text)


def fail(subject: str, text: str) -> Finding:
    return Finding(subject, Level.FAIL, text)
