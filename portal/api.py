"""How the management API reads bodies, pages lists and answers errors: each once, for all views."""

from __future__ import annotations

from typing import Any

import structlog
from django.conf import settings
from django.core.exceptions import PermissionDenied, RequestDataTooBig, SuspiciousOperation
from django.http import Http404, HttpRequest, JsonResponse, UnreadablePostError
from django.utils.translation import gettext as _
from rest_framework import exceptions
from rest_framework.pagination import PageNumberPagination
from rest_framework.parsers import BaseParser

from inference.protocol.strict_json import check_no_duplicates, count_keys, parse_object
from portal.lib.errors import (
    InvalidInput,
    NotAllowed,
    NotAuthenticated,
    NotFound,
    PortalError,
    TooLarge,
    TooManyRequests,
    UnsupportedMedia,
)
from registry.mlflow.words import PATHS as MLFLOW_PATHS
from registry.mlflow.words import mlflow_error

log = structlog.get_logger(__name__)


class StrictJSONParser(BaseParser):
    """One JSON object: no duplicate keys, no NaN, at most 64 levels, at most DATA_UPLOAD_MAX_MEMORY_SIZE bytes."""

    media_type = "application/json"

    def parse(self, stream: Any, media_type: str | None = None, parser_context: Any = None) -> dict[str, Any]:
        limit = settings.DATA_UPLOAD_MAX_MEMORY_SIZE
        body = stream.read(limit + 1)
        if len(body) > limit:
            raise TooLarge(_("The body is larger than %(n)s bytes.") % {"n": limit})
        document = parse_object(body)
        check_no_duplicates(body, count_keys(document, 1))
        return document


class Pagination(PageNumberPagination):
    page_size_query_param = "page_size"
    max_page_size = 500


class MethodNotAllowed(PortalError):
    status = 405
    code = "method_not_allowed"


class NotAcceptable(PortalError):
    status = 406
    code = "not_acceptable"


def as_portal_error(error: Exception) -> PortalError | None:
    """The error of our own tree that says the same, or None where the fault is ours."""
    if isinstance(error, PortalError):
        return error
    if isinstance(error, exceptions.ValidationError):
        return InvalidInput(_first_sentence(error.detail), details={"fields": error.detail})
    if isinstance(error, (Http404, exceptions.NotFound)):
        return NotFound(_("There is no such object, or you may not see it."))
    for kinds, ours in _SAME:
        if isinstance(error, kinds):
            return ours(str(getattr(error, "detail", "")) or _("This request is not permitted."))
    if isinstance(error, RequestDataTooBig):
        return TooLarge(_("The body is too large."))
    if isinstance(error, (SuspiciousOperation, UnreadablePostError)):
        return InvalidInput(_("The request could not be read."), code="unreadable")
    return None


_SAME: tuple[tuple[Any, type[PortalError]], ...] = (
    ((exceptions.NotAuthenticated, exceptions.AuthenticationFailed), NotAuthenticated),
    ((exceptions.PermissionDenied, PermissionDenied), NotAllowed),
    (exceptions.MethodNotAllowed, MethodNotAllowed),
    (exceptions.NotAcceptable, NotAcceptable),
    (exceptions.UnsupportedMediaType, UnsupportedMedia),
    (exceptions.Throttled, TooManyRequests),
    (exceptions.ParseError, InvalidInput),
)


def _first_sentence(detail: Any, field: str = "") -> str:
    """DRF nests its messages by field: the first of them, with the field in front."""
    if isinstance(detail, dict) and detail:
        name, inner = next(iter(detail.items()))
        return _first_sentence(inner, "" if name == "non_field_errors" else str(name))
    if isinstance(detail, list) and detail:
        return _first_sentence(detail[0], field)
    return f"{field}: {detail}" if field else str(detail)


def exception_handler(error: Exception, context: dict[str, Any]) -> JsonResponse | None:
    ours = as_portal_error(error)
    return json_error(context["request"]._request, ours) if ours else None


def error_json(error: PortalError, request_id: str) -> dict[str, Any]:
    return {
        "error": {"code": error.code, "message": str(error), "details": error.details, "request_id": request_id},
    }


def error_headers(error: PortalError) -> dict[str, str]:
    headers = {}
    if error.status == 401:
        headers["WWW-Authenticate"] = 'Bearer realm="slipway"'
    if error.retry_after is not None:
        headers["Retry-After"] = str(error.retry_after)
    return headers


def json_error(request: HttpRequest, error: PortalError) -> JsonResponse:
    """The error in the shape that its path promises."""
    request_id = getattr(request, "request_id", "")
    if request.path.startswith(MLFLOW_PATHS):
        return _mlflow_error(request, error)
    if request.path.startswith(("/v1/", "/v2")):
        body: dict[str, Any] = {"error": str(error), "code": error.code, "request_id": request_id}
    else:
        body = error_json(error, request_id)
    return JsonResponse(body, status=error.status, headers=error_headers(error))


def _mlflow_error(request: HttpRequest, error: PortalError) -> JsonResponse:
    """Its client asks in another way, or goes on without, where it is told that a route does not exist."""
    is_route = getattr(request, "resolver_match", None) is not None
    code = error.code if is_route or error.status != NotFound.status else "no_such_route"
    body, status = mlflow_error(error.status, code, str(error))
    return JsonResponse(body, status=status, headers=error_headers(error))
