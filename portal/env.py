"""Reads raw values from the environment, where any secret `X` may also come as a file named by `X_FILE`."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import environ

BASE_DIR = Path(__file__).resolve().parent.parent
_SECRETS = (
    "DATABASE_URL",
    "REDIS_URL",
    "PORTAL_SECRET_KEY",
    "PORTAL_ADMIN_PASSWORD",
    "PORTAL_EMAIL_URL",
    "PORTAL_SIGNING_KEY",
    "PORTAL_ENCRYPTION_KEY",
)


def read_secret_files(names: tuple[str, ...] = _SECRETS) -> None:
    """Puts the content of the file that `X_FILE` names into `X`, unless `X` is set itself."""
    for name in names:
        path = os.environ.get(f"{name}_FILE")
        if path and name not in os.environ:
            os.environ[name] = Path(path).read_text(encoding="utf-8").strip()


read_secret_files()
env = environ.Env()


def data_dir() -> Path:
    """The folder that holds everything that is not code; relative paths count from the checkout."""
    return (BASE_DIR / env.str("PORTAL_DATA_DIR", default="var")).resolve()


def database(default: str) -> dict[str, Any]:
    """Django's settings from DATABASE_URL. A socket's folder (`?host=/run/...`) goes where `dbshell` looks too."""
    settings: dict[str, Any] = env.db_url("DATABASE_URL", default=default)
    options = settings.get("OPTIONS", {})
    if "host" in options:
        settings["HOST"] = options.pop("host")
    return settings


def celery_broker_url(redis_url: str) -> str:
    """redis-py says `unix://path?db=0` where kombu says `redis+socket://path?virtual_host=0`."""
    if redis_url.startswith("unix://"):
        return redis_url.replace("unix://", "redis+socket://", 1).replace("db=", "virtual_host=")
    return redis_url
