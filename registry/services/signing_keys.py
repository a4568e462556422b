"""The public keys with which people sign what they upload. The private halves never come here."""

from __future__ import annotations

import base64

from django.db import IntegrityError, transaction
from django.db.models import QuerySet
from django.utils import timezone
from django.utils.translation import gettext as _

from portal.lib.errors import Conflict, InvalidInput, NotAllowed, NotFound
from registry.access import policy
from registry.access.principal import Principal
from registry.artifacts.seals import fingerprint, parse_public_key
from registry.models import SigningKey, User
from registry.services import audit


def keys_of(principal: Principal) -> QuerySet[SigningKey]:
    """One's own; a superuser sees everybody's."""
    keys = SigningKey.objects.select_related("user")
    return keys if principal.is_superuser else keys.filter(user_id=principal.user_id or 0)


def add_key(principal: Principal, name: str, public_key: str) -> SigningKey:
    """`public_key` is PEM, or 32 bytes in base64. Raises InvalidInput, Conflict (`key_known`), NotAllowed."""
    policy.require(principal, "signing_key.add")
    owner = User.objects.filter(pk=principal.user_id or 0).first()
    if owner is None:
        raise NotAllowed(_("Only a person can own a signing key."))
    if not name.strip() or len(name) > 100 or not name.isprintable():
        raise InvalidInput(_("Give the key a name of 1 to 100 characters."), details={"field": "name"})
    public = _parsed(public_key)
    try:
        with transaction.atomic():
            key = SigningKey.objects.create(
                user=owner,
                name=name.strip(),
                public_key=base64.b64encode(public).decode(),
                fingerprint=fingerprint(public),
            )
            audit.record(principal, "signing_key.added", key, details={"fingerprint": key.fingerprint})
    except IntegrityError:
        raise Conflict(_("This key is known already: make one of your own."), code="key_known") from None
    return key


def revoke_key(principal: Principal, key_id: int) -> None:
    """It signs nothing from now on; what it has signed stays noted."""
    policy.require(principal, "signing_key.revoke")
    with transaction.atomic():
        key = keys_of(principal).filter(pk=key_id).first()
        if key is None:
            raise NotFound(_("There is no such signing key, or it is not yours."))
        if SigningKey.objects.filter(pk=key.pk, revoked_at=None).update(revoked_at=timezone.now()):
            audit.record(principal, "signing_key.revoked", key, details={"fingerprint": key.fingerprint})


def _parsed(text: str) -> bytes:
    try:
        return parse_public_key(text)
    except ValueError as error:
        if str(error) == "a private key":
            problem = _(
                "This is the private half, which nobody else may have: make a new key and send its public half."
            )
        else:
            problem = _("Send an Ed25519 public key, as PEM or as 32 bytes in base64.")
        raise InvalidInput(problem, details={"field": "public_key"}) from None
