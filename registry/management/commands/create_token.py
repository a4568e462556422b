"""`manage.py create_token --user NAME --name LABEL`: prints the token alone on standard output."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from portal.lib.errors import PortalError
from registry.access.actions import SCOPES
from registry.access.principal import SYSTEM
from registry.models import User
from registry.services.tokens import DEFAULT_DAYS, create_token


class Command(BaseCommand):
    help = "Create an API token and print it, alone, on standard output. It is shown this once only."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--user", required=True, help="whose rights the token has")
        parser.add_argument("--name", required=True, help="what it is for")
        parser.add_argument(
            "--scope", action="append", choices=list(SCOPES), help="may be repeated; default: read, predict"
        )
        parser.add_argument("--endpoint", action="append", default=[], help="only this endpoint; may be repeated")
        parser.add_argument("--rate", type=int, help="predictions per second that it may send; default: no limit")
        parser.add_argument("--days", type=int, default=DEFAULT_DAYS, help="how long it lives")

    def handle(self, *args: Any, **options: Any) -> None:
        owner = User.objects.filter(username=options["user"]).first()
        if owner is None:
            raise CommandError(f"There is no user “{options['user']}”.")
        try:
            _token, secret = create_token(
                SYSTEM,
                owner=owner,
                name=options["name"],
                scopes=options["scope"] or ["read", "predict"],
                endpoints=options["endpoint"],
                days=options["days"],
                requests_per_second=options["rate"],
            )
        except PortalError as error:
            raise CommandError(str(error)) from None
        self.stdout.write(secret)
