"""Door two: the URLs that predict as DRF views, for WSGI servers and for the schema.

Under gunicorn's `asgi` worker the prediction lane (`inference/serving/lane.py`) answers them before they get here.
"""

from __future__ import annotations

from typing import Any, ClassVar

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.views import APIView

from inference.serving.blocking import InPlace, run_in_place
from inference.serving.http import Answer, answer_infer, call_from, error_answer
from inference.serving.paths import prediction_path
from portal.lib.errors import NotFound, PortalError, TooLarge
from registry.api.schema import BEARER

_IN_PLACE = InPlace()


class ProtocolView(APIView):
    """Errors are answered as V2 has them (`portal/api.py`): `{"error": "<one sentence>", "code", "request_id"}`."""

    actions: ClassVar[dict[str, str]] = {}


class Predict(ProtocolView):
    """The handler itself asks for the token, so that both doors do the same."""

    actions = {"POST": "endpoint.predict"}
    authentication_classes = ()
    permission_classes = (AllowAny,)

    @extend_schema(request=OpenApiTypes.OBJECT, responses=OpenApiTypes.OBJECT, auth=[{BEARER: []}])  # type: ignore[list-item]
    def post(self, request: Request, **_parts: str | int) -> HttpResponse:
        django_request = request._request
        request_id = django_request.META["HTTP_X_REQUEST_ID"]
        try:
            path = prediction_path(django_request.path)
            if path is None:
                raise NotFound("There is nothing at this address.")
            call = call_from(path, _headers(django_request), read_body(django_request))
            answer = run_in_place(answer_infer(call, request_id, _IN_PLACE))
        except PortalError as error:
            answer = error_answer(error, request_id)
        return to_django(answer)


def to_django(answer: Answer) -> HttpResponse:
    response = HttpResponse(answer.body, status=answer.status)
    for name, value in answer.headers:
        response[name.decode("ascii").title()] = value.decode("latin-1")
    return response


def _headers(request: HttpRequest) -> dict[bytes, bytes]:
    return {name.lower().encode("latin-1"): value.encode("latin-1") for name, value in request.headers.items()}


def read_body(request: Any) -> bytes:
    limit = settings.PORTAL_MAX_BODY_BYTES
    body: bytes = request.read(limit + 1)
    if len(body) > limit:
        raise TooLarge(f"The body is larger than the limit of {limit} bytes: send fewer rows at once.")
    return body
