"""The one list of Slipway's own processes. `up` runs it, docker-compose.yml repeats it, a test compares the two."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from types import MappingProxyType

from portal.local.child import Spec
from portal.local.paths import ROOT, Layout
from portal.local.strays import MARK

# Each is run as `python -m ...`. Without mingle and gossip a worker is ready a second earlier; nobody listens to them.
# Beat keeps no file of its own: the schedule is short intervals only, and a file could be damaged by a power cut.
COMMANDS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "web": ("gunicorn", "-c", "portal/gunicorn.conf.py", "portal.asgi:application"),
        "worker": ("celery", "-A", "portal", "worker", "--loglevel", "INFO", "--without-mingle", "--without-gossip"),
        "beat": ("celery", "-A", "portal", "beat", "--loglevel", "INFO", "--scheduler", "celery.beat:Scheduler"),
        "prepare": ("portal.local.prepare",),
    }
)
# How long each may take to end when asked: requests under way, tasks under way.
_STOP_SECONDS = {"web": 10.0, "worker": 12.0, "beat": 3.0}
SERVICES = ("web", "worker", "beat")


def argv(name: str) -> tuple[str, ...]:
    return (sys.executable, "-m", *COMMANDS[name])


def environment(layout: Layout) -> dict[str, str]:
    return {
        "PORTAL_DATA_DIR": str(layout.data),
        "PROMETHEUS_MULTIPROC_DIR": str(layout.run / "metrics"),
        # A browser holds idle connections open, and nobody likes to wait for those after Ctrl-C.
        "PORTAL_GRACEFUL_SECONDS": os.environ.get("PORTAL_GRACEFUL_SECONDS", "3"),
        "PYTHONUNBUFFERED": "1",
        MARK: str(layout.data),
    }


def service(name: str, layout: Layout, bind: str) -> Spec:
    ready_file = layout.run / f"{name}.ready"
    return Spec(
        name=name,
        argv=argv(name),
        log=layout.log(name),
        environment={**environment(layout), "PORTAL_BIND": bind, "PORTAL_READY_FILE": str(ready_file)},
        folder=ROOT,
        stop_seconds=_STOP_SECONDS[name],
        before_start=lambda: ready_file.unlink(missing_ok=True),
    )


def announced_ready(name: str, layout: Layout) -> bool:
    """Worker and beat write this file when they are at work (`portal/local/announce.py`)."""
    return os.path.exists(layout.run / f"{name}.ready")
