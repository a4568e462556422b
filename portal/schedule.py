"""What beat rings, and how often. Every task here may be lost, late or doubled without harm."""

from __future__ import annotations

from typing import Any

SCHEDULE: dict[str, dict[str, Any]] = {
    "reconcile-versions": {"task": "registry.tasks.reconcile_versions", "schedule": 5.0},
    "reconcile-jobs": {"task": "inference.tasks.reconcile_jobs", "schedule": 5.0},
    "deliver-notifications": {"task": "registry.tasks.deliver_notifications", "schedule": 10.0},
    "apply-retention": {"task": "registry.tasks.apply_retention", "schedule": 3600.0},
    "sweep-artifacts": {"task": "registry.tasks.sweep_artifacts", "schedule": 3600.0},
    "sweep": {"task": "registry.tasks.sweep", "schedule": 600.0},
    "roll-up-windows": {"task": "inference.tasks.roll_up_windows", "schedule": 60.0},
    "collect-experiments": {"task": "inference.tasks.collect_experiments", "schedule": 10.0},
    "join-outcomes": {"task": "inference.tasks.join_outcomes", "schedule": 30.0},
    "reconcile-replays": {"task": "inference.tasks.reconcile_replay_runs", "schedule": 15.0},
    "reconcile-golden": {"task": "inference.tasks.reconcile_golden", "schedule": 60.0},
    "sweep-evidence": {"task": "inference.tasks.sweep_evidence", "schedule": 600.0},
    "sweep-outcomes": {"task": "inference.tasks.sweep_outcomes", "schedule": 3600.0},
    "sweep-serving": {"task": "inference.tasks.sweep_serving", "schedule": 60.0},
}
