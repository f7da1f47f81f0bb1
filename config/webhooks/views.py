"""Webhooks over HTTP."""

from typing import Any

from django.http import Http404, HttpResponse
from django.shortcuts import get_object_or_404
from drf_spectacular.utils import OpenApiExample, OpenApiResponse, extend_schema, extend_schema_view
from rest_framework import status
from rest_framework.request import Request
from rest_framework.response import Response

from config.api.idempotency import run_once
from config.api.openapi import IDEMPOTENCY_KEY, errors
from config.api.validation import validated
from config.api.views import GenericViewSet

from . import services
from .models import Webhook, WebhookDelivery
from .serializers import (
    EXAMPLE,
    EXAMPLE_SECRET,
    DeliverySerializer,
    NewWebhookSerializer,
    SecretSerializer,
    WebhookFieldsSerializer,
    WebhookSerializer,
)

MAX_ID = 2**63 - 1
FIELDS = {name: EXAMPLE[name] for name in ("url", "kinds", "description")}


class WebhooksViewSet(GenericViewSet):
    queryset = Webhook.objects.all()
    lookup_value_converter = "int"
    filter_backends: list = []
    schema_tag = "webhooks"

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        super().initial(request, *args, **kwargs)
        if any(isinstance(value, int) and value > MAX_ID for value in kwargs.values()):
            raise Http404

    def get_queryset(self) -> Any:
        return Webhook.objects.visible_to(self.request.user)


@extend_schema_view(
    list=extend_schema(
        summary="List your webhooks",
        description="All of them, without their secrets.",
        responses=WebhookSerializer(many=True),
    ),
    create=extend_schema(
        summary="Create a webhook",
        description="The URL gets a signed POST for each change of the kinds. You can have ten webhooks.",
        parameters=[IDEMPOTENCY_KEY],
        request=WebhookFieldsSerializer,
        responses={201: NewWebhookSerializer, **errors(409)},
        examples=[OpenApiExample("A webhook", FIELDS, request_only=True)],
    ),
    retrieve=extend_schema(summary="Get a webhook", description="One of your webhooks, without its secret."),
    partial_update=extend_schema(
        summary="Change a webhook",
        description="`active: true` also switches on a webhook that Atrium has switched off. Switching off ends the "
        "deliveries that wait; they can be resent.",
        request=WebhookFieldsSerializer,
        examples=[OpenApiExample("Switch off", {"active": False}, request_only=True)],
    ),
    destroy=extend_schema(
        summary="Delete a webhook", description="Its deliveries are deleted, too.", responses={204: None}
    ),
)
class WebhookViewSet(WebhooksViewSet):
    serializer_class = WebhookSerializer
    pagination_class = None

    def list(self, request: Request) -> Response:
        return Response(WebhookSerializer(self.get_queryset(), many=True).data)

    def create(self, request: Request) -> Response | HttpResponse:
        content = validated(WebhookFieldsSerializer, request.data)
        secrets = []

        def create() -> Response:
            webhook, secret = services.create_webhook(owner=request.user, **content)
            secrets.append(secret)
            return Response({**WebhookSerializer(webhook).data, "secret": None}, status=status.HTTP_201_CREATED)

        response = run_once(request, content, create)
        if secrets:
            # Only now: the stored answer must not contain it.
            response.data["secret"] = secrets[0]
        return response

    def retrieve(self, request: Request, pk: int) -> Response:
        return Response(WebhookSerializer(self.get_object()).data)

    def partial_update(self, request: Request, pk: int) -> Response:
        webhook = self.get_object()
        changes = validated(WebhookFieldsSerializer, request.data, partial=True)
        return Response(WebhookSerializer(services.update_webhook(webhook=webhook, **changes)).data)

    def destroy(self, request: Request, pk: int) -> Response:
        services.delete_webhook(webhook=self.get_object())
        return Response(status=status.HTTP_204_NO_CONTENT)

    @extend_schema(
        summary="Replace the secret",
        description="For 24 hours, messages also have a signature of the previous secret.",
        request=None,
        responses=SecretSerializer,
        examples=[OpenApiExample("The new secret", {"secret": EXAMPLE_SECRET}, response_only=True)],
    )
    def secret(self, request: Request, pk: int) -> Response:
        return Response({"secret": services.replace_secret(webhook=self.get_object())})

    @extend_schema(
        summary="Send a test delivery",
        description="Send a message of type `ping`.",
        parameters=[IDEMPOTENCY_KEY],
        request=None,
        responses={202: DeliverySerializer, **errors(409)},
    )
    def test(self, request: Request, pk: int) -> Response | HttpResponse:
        webhook = self.get_object()

        def send() -> Response:
            delivery = services.send_test(webhook=webhook)
            return Response(DeliverySerializer(delivery).data, status=status.HTTP_202_ACCEPTED)

        return run_once(request, {}, send)


@extend_schema_view(
    list=extend_schema(
        summary="List the deliveries of a webhook",
        description="Newest first. They are deleted after 30 days, or after the time that the operator has set.",
    ),
)
class DeliveryViewSet(WebhooksViewSet):
    serializer_class = DeliverySerializer

    def check_visible(self) -> None:
        self.deliveries()
        if "delivery_id" in self.kwargs:
            self.delivery()

    def deliveries(self) -> Any:
        webhook = get_object_or_404(self.get_queryset(), pk=self.kwargs["pk"])
        return WebhookDelivery.objects.filter(webhook=webhook)

    def delivery(self) -> WebhookDelivery:
        return get_object_or_404(self.deliveries().select_related("webhook"), pk=self.kwargs["delivery_id"])

    def list(self, request: Request, pk: int) -> Response:
        page = self.paginate_queryset(self.deliveries())
        return self.get_paginated_response(DeliverySerializer(page, many=True).data)

    @extend_schema(
        summary="Resend a delivery",
        description="Send it again with the same `webhook-id`, whatever its status, and with all attempts.",
        parameters=[IDEMPOTENCY_KEY],
        request=None,
        responses={202: OpenApiResponse(DeliverySerializer), **errors(409)},
    )
    def resend(self, request: Request, pk: int, delivery_id: int) -> Response | HttpResponse:
        delivery = self.delivery()

        def resend() -> Response:
            return Response(
                DeliverySerializer(services.resend(delivery=delivery)).data, status=status.HTTP_202_ACCEPTED
            )

        return run_once(request, {}, resend)
