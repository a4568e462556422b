"""What the views of the MLflow protocol share: who may, what was said, errors in the shape that the client reads."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, ClassVar

from django.http import HttpRequest, HttpResponse, JsonResponse
from rest_framework.response import Response
from rest_framework.settings import api_settings
from rest_framework.views import APIView

from portal.lib.errors import PortalError
from registry.access.principal import Principal
from registry.mlflow.authentication import TokenOrBasic
from registry.mlflow.said import Said, read
from registry.mlflow.words import mlflow_error


class NotImplementedHere(PortalError):
    status = 501
    code = "not_implemented"


def answer_error(error: Exception, context: dict[str, Any]) -> HttpResponse | None:
    """The management API decides what an error means; here it only gets another shape."""
    handler: Callable[..., Any] = api_settings.EXCEPTION_HANDLER  # type: ignore[assignment]
    answered = handler(error, context)
    if answered is None:
        return None
    told = json.loads(answered.content).get("error")
    if told is None:
        return answered
    body, status = mlflow_error(answered.status_code, told["code"], told["message"])
    kept = {name: answered[name] for name in ("Retry-After", "WWW-Authenticate") if name in answered}
    return JsonResponse(body, status=status, headers=kept)


class MlflowView(APIView):
    """`actions` as in the management API. The protocol is MLflow's own, so the OpenAPI document leaves it out."""

    actions: ClassVar[dict[str, str]] = {}
    authentication_classes = [TokenOrBasic]
    schema = None

    @property
    def principal(self) -> Principal:
        return self.request.user  # type: ignore[return-value]

    @property
    def plain(self) -> HttpRequest:
        return self.request._request

    def said(self) -> Said:
        return read(self.plain)

    def get_exception_handler(self) -> Callable[..., Any]:
        return answer_error


def empty() -> Response:
    return Response({})
