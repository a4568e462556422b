"""`manage.py rotate_signing_key`: makes a new key for seals and keeps the public half of the former one."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.db import transaction

from registry.access.principal import SYSTEM
from registry.models import SigningKey
from registry.services import audit
from registry.services.keys import rotate_signing_key


class Command(BaseCommand):
    help = "Make a new signing key. Seals that the former one made stay good."

    def handle(self, *args: Any, **options: Any) -> None:
        if settings.PORTAL_SIGNING_KEY_IS_GIVEN:
            raise CommandError(
                "The key comes from PORTAL_SIGNING_KEY: put the new one there, and the former one's public half, as "
                "GET /api/v1/signing-keys/portal shows it, into PORTAL_TRUSTED_SIGNING_KEYS."
            )
        former, new = rotate_signing_key()
        key = SigningKey(pk=0, name="portal", fingerprint=new)
        with transaction.atomic():
            audit.record(SYSTEM, "signing_key.rotated", key, details={"former": former, "new": new})
        self.stdout.write(f"The new key is {new}. Restart the portal: until then it seals with {former}.")
