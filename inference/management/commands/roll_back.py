"""`manage.py roll_back SLUG --reason "..."`: one act, whatever runs at the endpoint."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from inference.experiments.going_back import roll_back
from inference.selectors.endpoints import get_endpoint
from portal.lib.errors import PortalError
from registry.access.principal import SYSTEM


class Command(BaseCommand):
    help = "Rolls an endpoint back: ends its rollout or experiment, or restores the split before the live one."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("slug")
        parser.add_argument("--reason", required=True)

    def handle(self, *_: Any, **options: Any) -> None:
        try:
            done = roll_back(SYSTEM, get_endpoint(SYSTEM, options["slug"]), reason=options["reason"])
        except PortalError as error:
            raise CommandError(str(error)) from None
        took = done.converged
        self.stdout.write(f"{took.acknowledged} of {took.processes} processes after {1000 * took.seconds:.0f} ms")
