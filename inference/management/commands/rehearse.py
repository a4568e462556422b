"""`manage.py rehearse SLUG`: a roll back without moving any traffic."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from inference.rollouts.services import rehearse
from inference.selectors.endpoints import get_endpoint
from portal.lib.errors import PortalError
from registry.access.principal import SYSTEM


class Command(BaseCommand):
    help = "Does all of a roll back but the moving, and prints how long every serving process took to follow."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("slug")

    def handle(self, *_: Any, **options: Any) -> None:
        try:
            found = rehearse(SYSTEM, get_endpoint(SYSTEM, options["slug"]))
        except PortalError as error:
            raise CommandError(str(error)) from None
        self.stdout.write(f"{found.acknowledged} of {found.processes} processes after {1000 * found.seconds:.0f} ms")
