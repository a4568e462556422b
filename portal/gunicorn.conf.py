"""gunicorn's settings, the same under `up` and in Docker."""
# ruff: noqa: N999 - the name that gunicorn gives such a file

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from prometheus_client import multiprocess

bind = os.environ.get("PORTAL_BIND", "127.0.0.1:8000")
workers = int(os.environ.get("WEB_CONCURRENCY", "2"))
worker_class = "asgi"
asgi_loop = "uvloop"
# Each process has a listening socket of its own; on a shared one a single process tends to take every kept connection.
reuse_port = True
keepalive = 75
timeout = 60
# How long requests under way get on SIGTERM; gunicorn waits as long for idle kept-alive connections too.
graceful_timeout = int(os.environ.get("PORTAL_GRACEFUL_SECONDS", "8"))
# Heartbeat files belong in memory: on a busy disk a slow write would look like a hung process.
_MEMORY = "/dev/shm"  # noqa: S108
worker_tmp_dir = _MEMORY if os.access(_MEMORY, os.W_OK) else None
limit_request_line = 8190
limit_request_fields = 100
limit_request_field_size = 16_384
accesslog = None
errorlog = "-"
proc_name = "slipway"
control_socket_disable = True  # it would be made in the user's home


def on_starting(server: Any) -> None:
    if folder := os.environ.get("PROMETHEUS_MULTIPROC_DIR"):
        Path(folder).mkdir(parents=True, exist_ok=True)


def child_exit(server: Any, worker: Any) -> None:
    """A process that has ended no longer counts in the gauges."""
    if os.environ.get("PROMETHEUS_MULTIPROC_DIR"):
        multiprocess.mark_process_dead(worker.pid)
