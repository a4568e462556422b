"""Is it alive, and is it ready to serve. Both answer without a token: load balancers have none."""

from __future__ import annotations

from django.contrib.auth.decorators import login_not_required
from django.db import Error as DatabaseError
from django.db import connection
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from inference.monitoring.prometheus import exposition
from inference.serving.follower import follower
from portal.api import json_error
from portal.lib.errors import NotAuthenticated
from registry.access.tokens import principal_of_token


@login_not_required
@never_cache
@require_safe
def healthz(request: HttpRequest) -> JsonResponse:
    return JsonResponse({"alive": True})


@login_not_required
@never_cache
@require_safe
def readyz(request: HttpRequest) -> JsonResponse:
    """200 when this process reaches PostgreSQL and has loaded what is live."""
    checks = {"database": _database_answers(), "routing": follower().sequence >= 0 and follower().holds_lease()}
    ready = all(checks.values())
    return JsonResponse({"ready": ready, "checks": checks}, status=200 if ready else 503)


def _database_answers() -> bool:
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
    except DatabaseError:
        connection.close()
        return False
    return True


@login_not_required
@never_cache
@require_safe
def metrics(request: HttpRequest) -> HttpResponse:
    """For a scraper on this machine without more, from elsewhere with a token that may read."""
    if not _is_local(request) and not _may_read(request):
        return json_error(request, NotAuthenticated(_("Send a token with the scope “read”.")))
    return HttpResponse(exposition(), content_type="text/plain; version=0.0.4; charset=utf-8")


def _is_local(request: HttpRequest) -> bool:
    behind_proxy = "HTTP_X_FORWARDED_FOR" in request.META or "HTTP_FORWARDED" in request.META
    return request.META.get("REMOTE_ADDR") in ("127.0.0.1", "::1") and not behind_proxy


def _may_read(request: HttpRequest) -> bool:
    scheme, _space, token = request.META.get("HTTP_AUTHORIZATION", "").partition(" ")
    principal = principal_of_token(token.strip()) if scheme.lower() == "bearer" else None
    return principal is not None and (principal.scopes is None or "read" in principal.scopes)
