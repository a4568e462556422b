"""`/api/v1/tokens` and `/api/v1/audit`: who may act, and who did."""

from __future__ import annotations

from django.db.models import QuerySet
from drf_spectacular.utils import extend_schema
from rest_framework import status
from rest_framework.generics import ListAPIView
from rest_framework.request import Request
from rest_framework.response import Response

from registry import selectors
from registry.api.base import ManagementView
from registry.api.filters import AuditFilter
from registry.api.serializers import AuditSerializer, NewTokenSerializer, TokenInput, TokenSerializer
from registry.models import ApiToken, AuditEvent
from registry.services import tokens


class TokenList(ManagementView, ListAPIView[ApiToken]):
    actions = {"GET": "token.view", "POST": "token.create"}
    serializer_class = TokenSerializer
    queryset = ApiToken.objects.none()

    def get_queryset(self) -> QuerySet[ApiToken]:
        return selectors.tokens_for(self.principal)

    @extend_schema(request=TokenInput, responses={201: NewTokenSerializer})
    def post(self, request: Request) -> Response:
        wanted = self.checked(TokenInput, request)
        token, secret = tokens.create_own_token(self.principal, **wanted)
        return Response({**TokenSerializer(token).data, "token": secret}, status=status.HTTP_201_CREATED)


class TokenDetail(ManagementView):
    actions = {"DELETE": "token.revoke"}
    serializer_class = TokenSerializer

    @extend_schema(responses={204: None})
    def delete(self, request: Request, token_id: int) -> Response:
        tokens.revoke_token(self.principal, token_id)
        return Response(status=status.HTTP_204_NO_CONTENT)


class AuditList(ManagementView, ListAPIView[AuditEvent]):
    actions = {"GET": "audit.view"}
    serializer_class = AuditSerializer
    filterset_class = AuditFilter
    queryset = AuditEvent.objects.none()

    def get_queryset(self) -> QuerySet[AuditEvent]:
        return selectors.audit_for(self.principal)
