"""What beat rings, and how often. Every task here may be lost, late or doubled without harm."""

from __future__ import annotations

from typing import Any

SCHEDULE: dict[str, dict[str, Any]] = {
    "reconcile-versions": {"task": "registry.tasks.reconcile_versions", "schedule": 5.0},
    "reconcile-jobs": {"task": "inference.tasks.reconcile_jobs", "schedule": 5.0},
    "sweep": {"task": "registry.tasks.sweep", "schedule": 600.0},
    "roll-up-windows": {"task": "inference.tasks.roll_up_windows", "schedule": 60.0},
    "sweep-serving": {"task": "inference.tasks.sweep_serving", "schedule": 60.0},
}
