"""What a caller asks for, checked before his file is taken: the format, and the version that will answer."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from django.utils.translation import gettext as _

from inference.models import BatchJob, Endpoint, TrafficShare
from inference.selectors.endpoints import get_endpoint
from portal.lib.errors import Conflict, InvalidInput, NotAllowed
from registry import selectors as registry
from registry.access import policy
from registry.access.principal import Principal
from registry.models import ModelVersion, VersionStatus

EXTENSIONS = {"csv": "csv", "jsonl": "jsonl", "ndjson": "jsonl"}
MAX_KEY_LENGTH = 128


@dataclass(frozen=True, slots=True)
class Wish:
    """As the caller put it: an endpoint's slug, or a model's name and a version's number."""

    file_name: str = ""
    format: str = ""
    endpoint: str = ""
    model: str = ""
    version: int | None = None
    idempotency_key: str = ""

    def digest(self, format_: str, input_sha256: str) -> str:
        """The same for a repeated request, whatever is live at the endpoint by then."""
        parts = [self.endpoint, self.model, str(self.version or ""), format_, input_sha256]
        return hashlib.sha256("\0".join(parts).encode("utf-8", "surrogatepass")).hexdigest()


def target_of(principal: Principal, wish: Wish) -> tuple[ModelVersion, Endpoint | None]:
    """The version that is to answer, pinned now. Requires the right to submit jobs in its project."""
    if wish.endpoint and not wish.model:
        endpoint = get_endpoint(principal, wish.endpoint)
        policy.require_endpoint(principal, "job.submit", endpoint.project_id, endpoint.slug)
        return _live_version(endpoint), endpoint
    if wish.model and wish.version is not None and not wish.endpoint:
        version = registry.get_version(principal, wish.model, wish.version)
        policy.require(principal, "job.submit", version.model.project_id)
        _refuse_limited_token(principal)
        return _ready(version), None
    raise InvalidInput(
        _("Name either an “endpoint”, or a “model” and its “version”."), code="no_target", details={"field": "endpoint"}
    )


def format_of(wish: Wish) -> str:
    """As asked for, else by the file's extension."""
    if wish.format:
        return _known(wish.format, _("The format is either “csv” or “jsonl”."))
    extension = wish.file_name.rsplit(".", 1)[-1].lower()
    return _known(EXTENSIONS.get(extension, ""), _("Say the format, “csv” or “jsonl”: the file's name does not."))


def _known(format_: str, sentence: str) -> str:
    if format_ not in BatchJob.Format.values:
        raise InvalidInput(sentence, code="unknown_format", details={"field": "format"})
    return format_


def check_key(key: str) -> None:
    if len(key) > MAX_KEY_LENGTH or not key.isprintable():
        sentence = _("An Idempotency-Key has at most 128 printable characters.")
        raise InvalidInput(sentence, code="invalid_idempotency_key")


def _live_version(endpoint: Endpoint) -> ModelVersion:
    """The version with the largest share of the live split."""
    shares = TrafficShare.objects.filter(split=endpoint.live_split_id).select_related("variant__version__model")
    largest = shares.order_by("-weight_bp", "id").first()
    if largest is None:
        raise Conflict(
            _("Nothing is live at “%(slug)s” yet: promote a version to it first.") % {"slug": endpoint.slug},
            code="nothing_promoted",
        )
    return _ready(largest.variant.version)


def _ready(version: ModelVersion) -> ModelVersion:
    if version.status != VersionStatus.READY:
        raise Conflict(
            _("Version %(number)s is %(status)s: a job takes a version that is ready.")
            % {"number": version.number, "status": version.get_status_display().lower()},
            code="version_not_ready",
            details={"status": version.status},
        )
    return version


def _refuse_limited_token(principal: Principal) -> None:
    if principal.endpoints is not None:
        raise NotAllowed(_("This token is limited to endpoints: name one of them."), code="token_limited_to_endpoints")
