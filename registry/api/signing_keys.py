"""`/api/v1/signing-keys`: the public keys with which one signs one's uploads, and the portal's own."""

from __future__ import annotations

import base64
from typing import Any

from django.db.models import QuerySet
from drf_spectacular.utils import extend_schema
from rest_framework import serializers, status
from rest_framework.generics import ListAPIView
from rest_framework.request import Request
from rest_framework.response import Response

from registry.api.base import ManagementView
from registry.models import SigningKey
from registry.services import signing_keys
from registry.services.keys import signer, trusted_keys


class SigningKeySerializer(serializers.ModelSerializer[SigningKey]):
    user = serializers.CharField(source="user.username", read_only=True)

    class Meta:
        model = SigningKey
        fields = ["id", "name", "user", "public_key", "fingerprint", "created_at", "revoked_at"]


class SigningKeyInput(serializers.Serializer[Any]):
    """`public_key` is PEM, or the 32 bytes in base64."""

    name = serializers.CharField(max_length=100)
    public_key = serializers.CharField(max_length=2_000)


class PortalKeySerializer(serializers.Serializer[Any]):
    fingerprint = serializers.CharField()
    public_key = serializers.CharField()
    is_current = serializers.BooleanField()


class SigningKeyList(ManagementView, ListAPIView[SigningKey]):
    actions = {"GET": "signing_key.view", "POST": "signing_key.add"}
    serializer_class = SigningKeySerializer
    queryset = SigningKey.objects.none()

    def get_queryset(self) -> QuerySet[SigningKey]:
        return signing_keys.keys_of(self.principal)

    @extend_schema(request=SigningKeyInput, responses={201: SigningKeySerializer})
    def post(self, request: Request) -> Response:
        wanted = self.checked(SigningKeyInput, request)
        key = signing_keys.add_key(self.principal, wanted["name"], wanted["public_key"])
        return Response(SigningKeySerializer(key).data, status=status.HTTP_201_CREATED)


class SigningKeyDetail(ManagementView):
    actions = {"DELETE": "signing_key.revoke"}
    serializer_class = SigningKeySerializer

    @extend_schema(responses={204: None})
    def delete(self, request: Request, key_id: int) -> Response:
        signing_keys.revoke_key(self.principal, key_id)
        return Response(status=status.HTTP_204_NO_CONTENT)


class PortalKeys(ManagementView):
    """With these anybody can check a seal without the portal."""

    actions = {"GET": "signing_key.view_portal"}
    serializer_class = PortalKeySerializer
    queryset = SigningKey.objects.none()
    pagination_class = None
    filter_backends = []

    @extend_schema(responses={200: PortalKeySerializer(many=True)})
    def get(self, request: Request) -> Response:
        current = signer().fingerprint
        keys = [
            {"fingerprint": name, "public_key": base64.b64encode(key).decode(), "is_current": name == current}
            for name, key in trusted_keys().items()
        ]
        return Response(keys)
