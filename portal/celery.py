"""The Celery application. `celery -A portal worker` and `celery -A portal beat` start here."""

from __future__ import annotations

import os
import threading
from logging.config import dictConfig
from typing import Any

from celery import Celery
from celery.signals import beat_init, setup_logging
from django.conf import settings
from django_structlog.celery.steps import DjangoStructLogInitStep

from portal.local import announce  # noqa: F401  Connects the signals that say when worker and beat are at work.

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "portal.settings")

app = Celery("portal")
# Otherwise only the thread that imported this would know the broker.
app.set_default()
app.add_defaults(lambda: settings.CELERY)
app.autodiscover_tasks(["registry", "inference"])
if app.steps is not None:
    app.steps["worker"].add(DjangoStructLogInitStep)


@setup_logging.connect
def log_like_the_web(**_: Any) -> None:
    dictConfig(settings.LOGGING)


@beat_init.connect
def judge_rollouts(**_: Any) -> None:
    """Beside the clock, not in a worker: no queue and no job may keep a guard from its rollout."""
    from inference.rollouts import controller  # noqa: PLC0415  Models exist only once the application is set up.

    threading.Thread(target=controller.run, args=(threading.Event(),), name="rollouts", daemon=True).start()
