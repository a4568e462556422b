"""The project as a Django app, for its commands, template tags and checks."""

from __future__ import annotations

from django.apps import AppConfig


class PortalConfig(AppConfig):
    name = "portal"

    def ready(self) -> None:
        # Here and not in `portal/__init__.py`, which `manage.py` reads before anything is installed.
        from portal import celery, checks  # noqa: F401, PLC0415
        from registry.notifications.about_versions import record_refusal  # noqa: PLC0415
        from registry.services import tampering  # noqa: PLC0415

        tampering.report_to(record_refusal)
