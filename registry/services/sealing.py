"""Signatures over a version's digest: the portal's own, made at registration, and the uploader's."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.utils import timezone
from django.utils.translation import gettext as _

from portal.lib.errors import InvalidInput
from portal.lib.texts import is_text
from registry.access.principal import Principal
from registry.artifacts.model_files import Subject
from registry.artifacts.seals import parse_key, uploader_signature_holds
from registry.models import Project, SignaturePolicy, SigningKey
from registry.services.keys import signer

MOST_CHARACTERS = 2_000


def said_by_uploader(principal: Principal, project: Project, sha256: str, signature: Any = None) -> dict[str, Any]:
    """What the seal will say of him: `uploader` where he signed himself, `warning: "unsigned"` where the project would
    have liked that. Asked before there is a version.

    `signature` is `{"key": fingerprint, "signature": base64}`, or None. Raises InvalidInput (`signature_required`,
    `signature_invalid`).
    """
    if signature is not None:
        return {"uploader": _checked(principal, sha256, signature)}
    if project.signature_policy == SignaturePolicy.REQUIRE:
        raise InvalidInput(
            _("This project takes signed uploads only: sign the file's digest with your key and send “signature”."),
            code="signature_required",
            details={"sha256": sha256},
        )
    return {"warning": "unsigned"} if project.signature_policy == SignaturePolicy.WARN else {}


def seal(subject: Subject, sha256: str, said: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """What `ModelVersion.seal` keeps of this one version: `{"subject", "key", "signature", "signed_at"}`, and what is
    `said` of its uploader."""
    return signer().seal(sha256, {**(said or {}), "signed_at": timezone.now().isoformat()}, subject)


def reseal(former: Mapping[str, Any], subject: Subject, sha256: str) -> dict[str, Any]:
    """For the files that came out of an archive. What the uploader signed stays noted with the archive's own digest."""
    return seal(subject, sha256, {name: former[name] for name in ("uploader", "warning") if name in former})


def _checked(principal: Principal, sha256: str, signature: Any) -> dict[str, Any]:
    """As the seal keeps it: enough to check it again without the portal."""
    given = signature if isinstance(signature, dict) else {}
    if not all(is_text(given.get(name), MOST_CHARACTERS) for name in ("key", "signature")):
        raise _invalid(_("“signature” has to be an object with “key”, its fingerprint, and “signature” in base64."))
    own = SigningKey.objects.filter(user_id=principal.user_id or 0, revoked_at=None)
    key = own.filter(fingerprint=given["key"].strip().lower()).first()
    if key is None:
        raise _invalid(_("You have no signing key with this fingerprint: add its public half under Signing keys."))
    if not uploader_signature_holds(parse_key(key.public_key), sha256, given["signature"]):
        message = _("The signature does not fit these bytes: sign “slipway-artifact-v1”, a line break and %(sha256)s.")
        raise _invalid(message % {"sha256": sha256})
    return {
        "user": key.user.get_username(),
        "key": key.fingerprint,
        "public_key": key.public_key,
        "sha256": sha256,
        "signature": given["signature"],
    }


def _invalid(message: str) -> InvalidInput:
    return InvalidInput(message, code="signature_invalid", details={"field": "signature"})
