"""The signing secrets of webhooks: made here, and kept sealed, because signing needs them again."""

from __future__ import annotations

import base64
import hashlib
import secrets

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from django.conf import settings
from django.utils.encoding import force_bytes

BEGINS_WITH = "whsec_"


class SealBroken(Exception):
    """The portal's secret key is not the one that this was sealed with."""


def new_secret() -> str:
    """`whsec_` and 43 characters that hold 256 random bits."""
    return BEGINS_WITH + secrets.token_urlsafe(32)


def _fernet() -> MultiFernet:
    """Seals with the present secret key; opens what one of the former ones has sealed too."""
    keys = [settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS]
    digests = [hashlib.sha256(b"slipway.webhooks:" + force_bytes(key)).digest() for key in keys]
    return MultiFernet([Fernet(base64.urlsafe_b64encode(digest)) for digest in digests])


def seal(secret: str) -> str:
    return _fernet().encrypt(secret.encode()).decode()


def unseal(sealed: str) -> str:
    """Raises SealBroken."""
    try:
        return _fernet().decrypt(sealed.encode()).decode()
    except InvalidToken:
        raise SealBroken from None
