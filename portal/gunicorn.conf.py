"""gunicorn's settings, the same under `up` and in Docker."""
# ruff: noqa: N999 - the name that gunicorn gives such a file

from __future__ import annotations

import os

bind = os.environ.get("PORTAL_BIND", "127.0.0.1:8000")
workers = int(os.environ.get("WEB_CONCURRENCY", "2"))
worker_class = "portal.worker.DrainingWorker"
# Each process has a listening socket of its own; on a shared one a single process tends to take every kept connection.
reuse_port = True
keepalive = 75
timeout = 60
# How long requests under way get on SIGTERM.
graceful_timeout = int(os.environ.get("PORTAL_GRACEFUL_SECONDS", "8"))
# Heartbeat files belong in memory: on a busy disk a slow write would look like a hung process.
_MEMORY = "/dev/shm"  # noqa: S108
worker_tmp_dir = _MEMORY if os.access(_MEMORY, os.W_OK) else None
accesslog = None
errorlog = "-"
proc_name = "slipway"
control_socket_disable = True  # it would be made in the user's home
