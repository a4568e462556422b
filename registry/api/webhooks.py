"""`/api/v1/webhooks` and `/api/v1/deliveries`: who is told of events, and what became of it."""

from __future__ import annotations

from django.db.models import QuerySet
from drf_spectacular.utils import extend_schema
from rest_framework import status
from rest_framework.generics import ListAPIView
from rest_framework.request import Request
from rest_framework.response import Response

from registry.api.base import ManagementView
from registry.api.deletion import reason_of
from registry.api.webhook_serializers import (
    DeliverySerializer,
    NewWebhookSerializer,
    WebhookChange,
    WebhookInput,
    WebhookReason,
    WebhookSerializer,
)
from registry.models import Delivery, Webhook
from registry.notifications import replay, selectors, webhooks
from registry.selectors import DEFAULT_PROJECT


class WebhookList(ManagementView, ListAPIView[Webhook]):
    actions = {"GET": "webhook.view", "POST": "webhook.manage"}
    serializer_class = WebhookSerializer
    queryset = Webhook.objects.none()

    def get_queryset(self) -> QuerySet[Webhook]:
        return selectors.webhooks_for(self.principal)

    @extend_schema(request=WebhookInput, responses={201: NewWebhookSerializer})
    def post(self, request: Request) -> Response:
        wanted = self.checked(WebhookInput, request)
        project = selectors.get_project(self.principal, wanted.pop("project", DEFAULT_PROJECT))
        webhook, secret = webhooks.create_webhook(self.principal, project, **wanted)
        said = {**WebhookSerializer(webhook).data, "secret": secret}
        return Response(said, status=status.HTTP_201_CREATED, headers={"Cache-Control": "no-store"})


class WebhookDetail(ManagementView):
    actions = {"GET": "webhook.view", "PATCH": "webhook.manage", "DELETE": "webhook.manage"}
    serializer_class = WebhookSerializer

    def get(self, request: Request, webhook_id: int) -> Response:
        return Response(WebhookSerializer(selectors.get_webhook(self.principal, webhook_id)).data)

    @extend_schema(request=WebhookChange)
    def patch(self, request: Request, webhook_id: int) -> Response:
        webhook = selectors.get_webhook(self.principal, webhook_id)
        changed = webhooks.change_webhook(self.principal, webhook, self.checked(WebhookChange, request))
        return Response(WebhookSerializer(changed).data)

    @extend_schema(request=WebhookReason, responses={204: None})
    def delete(self, request: Request, webhook_id: int) -> Response:
        webhook = selectors.get_webhook(self.principal, webhook_id)
        webhooks.delete_webhook(self.principal, webhook, reason=reason_of(request))
        return Response(status=status.HTTP_204_NO_CONTENT)


class DeliveryList(ManagementView, ListAPIView[Delivery]):
    actions = {"GET": "webhook.view"}
    serializer_class = DeliverySerializer
    queryset = Delivery.objects.none()

    def get_queryset(self) -> QuerySet[Delivery]:
        if getattr(self, "swagger_fake_view", False):
            return self.queryset
        return selectors.deliveries_of(selectors.get_webhook(self.principal, self.kwargs["webhook_id"]))


class DeliveryReplay(ManagementView):
    actions = {"POST": "webhook.manage"}
    serializer_class = DeliverySerializer

    @extend_schema(request=None, responses={201: DeliverySerializer})
    def post(self, request: Request, delivery_id: int) -> Response:
        again = replay.replay(self.principal, selectors.get_delivery(self.principal, delivery_id))
        return Response(DeliverySerializer(again).data, status=status.HTTP_201_CREATED)
