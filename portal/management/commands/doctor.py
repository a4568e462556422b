"""`manage.py doctor`: says what is wrong with this installation and how to mend it; status 1 when something fails."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError

from portal.local.doctor import keys, machine, services
from portal.local.doctor.finding import Finding, Level
from portal.local.paths import Layout


class Command(BaseCommand):
    help = "Check the installation and say what is wrong and how to mend it."
    requires_system_checks: list[str] = []
    _style = {Level.OK: "SUCCESS", Level.WARN: "WARNING", Level.FAIL: "ERROR"}

    def handle(self, *args: Any, **options: Any) -> None:
        layout = Layout.from_environment()
        n_failed = 0
        for finding in (check(layout) for check in (*machine.CHECKS, *keys.CHECKS)):
            n_failed += self._show(finding)
        for finding in services.examine(layout):
            n_failed += self._show(finding)
        if n_failed:
            raise CommandError(f"{n_failed} to mend.")

    def _show(self, finding: Finding) -> bool:
        paint = getattr(self.style, self._style[finding.level])
        self.stdout.write(str(finding).replace(finding.level, paint(finding.level), 1))
        return finding.level == Level.FAIL
