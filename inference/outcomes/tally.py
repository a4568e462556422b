"""What became of the outcomes of one call or file."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from inference.outcomes.reports import Rejected


@dataclass
class Tally:
    """`accepted` + `repeated` + the rejected ones are all that were sent. `accepted` divides into `joined`, whose
    prediction is known, and `unknown`; `late` ones are joined too."""

    accepted: int = 0
    joined: int = 0
    unknown: int = 0
    repeated: int = 0
    late: int = 0
    rejected: list[Rejected] = field(default_factory=list)

    def add(self, other: Tally) -> None:
        for name in ("accepted", "joined", "unknown", "repeated", "late"):
            setattr(self, name, getattr(self, name) + getattr(other, name))
        self.rejected += other.rejected

    def as_json(self) -> dict[str, Any]:
        return {
            "accepted": self.accepted,
            "joined": self.joined,
            "unknown": self.unknown,
            "repeated": self.repeated,
            "late": self.late,
            "rejected": [row.as_json() for row in self.rejected],
        }
