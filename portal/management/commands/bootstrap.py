"""`manage.py bootstrap`: the first admin, the default project and, unless told otherwise, the demo. Safe to repeat."""

from __future__ import annotations

import os
import secrets
from typing import Any

from django.core.management.base import BaseCommand, CommandParser
from django.db import transaction

from portal.local.demo.content import ensure_demo
from registry.access.principal import SYSTEM
from registry.models import Membership, Project, Role, User
from registry.selectors import DEFAULT_PROJECT
from registry.services import audit


class Command(BaseCommand):
    help = "Create the first admin, the project “default” and the demo content, where they are missing."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--no-demo", action="store_true", help="leave the demo content out")

    def handle(self, *args: Any, **options: Any) -> None:
        with transaction.atomic():
            project, is_new = Project.objects.get_or_create(slug=DEFAULT_PROJECT, defaults={"name": "Default"})
            if is_new:
                audit.record(SYSTEM, "project.created", project, project_id=project.pk)
            password = self._first_admin(project)
        if password:
            self.stdout.write(f"first-admin-password: {password}")
        if not options["no_demo"]:
            ensure_demo(project)

    def _first_admin(self, project: Project) -> str | None:
        """The password when it was made here; None when it was given or somebody is there already."""
        if User.objects.exists():
            return None
        given = os.environ.get("PORTAL_ADMIN_PASSWORD")
        password = given or secrets.token_urlsafe(12)
        admin = User.objects.create_superuser("admin", password=password)
        Membership.objects.create(project=project, user=admin, role=Role.OWNER)
        audit.record(SYSTEM, "user.created", admin)
        return None if given else password
