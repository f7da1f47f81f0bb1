"""``messages/``: sending, histories, receipts."""

from typing import Any

from django.shortcuts import get_object_or_404
from drf_spectacular.utils import extend_schema
from rest_framework import generics
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts.models import User
from config import idempotency, openapi
from config.errors import attr_error
from config.throttling import SendThrottle

from . import serializers, services
from .models import Message
from .pagination import HistoryPagination, RecipientPagination
from .querysets import History, recipient_rows
from .shapes import message_shape


def person_by_code(code: str, attr: str = "with") -> User:
    """Whose usercode that is; raises a validation error that names it."""
    found = User.objects.filter(usercode=code.upper()).first() if code.isascii() else None
    if found is None:
        raise attr_error(attr, f"Nobody has the usercode {code}.", "unknown_usercode")
    return found


class MessageListView(generics.GenericAPIView):
    pagination_class = HistoryPagination
    filter_backends: list = []
    queryset = Message.objects.none()
    serializer_class = serializers.MessageSerializer

    def get_throttles(self) -> list:
        return [*super().get_throttles(), *([SendThrottle()] if self.request.method == "POST" else [])]

    @extend_schema(
        operation_id="messages_list",
        summary="Your history",
        description="What you sent or received, newest first. A page costs the same however long the history is.",
        parameters=[serializers.HistoryQuerySerializer],
        responses={200: serializers.MessageSerializer(many=True), **openapi.errors(400)},
    )
    def get(self, request: Request) -> Response:
        query = serializers.HistoryQuerySerializer(data=request.query_params)
        query.is_valid(raise_exception=True)
        asked = query.validated_data
        peer = person_by_code(asked["with"]) if "with" in asked else None
        narrowed = {name: asked[name] for name in ("unread", "broadcast", "from_deleted")}
        history = History(request.user, box=asked.get("box"), peer=peer, **narrowed)
        ids = self.paginator.paginate_history(history, request, after=asked.get("after"))
        return self.paginator.get_paginated_response(services.shapes_for(viewer=request.user, message_ids=ids))

    @extend_schema(
        operation_id="messages_send",
        summary="Send a message",
        description="To up to a hundred people by their usercodes, or to everybody who is online now.",
        parameters=[openapi.IDEMPOTENCY_KEY],
        request=serializers.SendSerializer,
        responses={201: serializers.MessageSerializer, **openapi.errors(409, 422)},
    )
    def post(self, request: Request) -> Any:
        asked = serializers.SendSerializer(data=request.data)
        asked.is_valid(raise_exception=True)
        return idempotency.once(request, lambda: self._send(request.user, **asked.validated_data))

    @staticmethod
    def _send(sender: User, *, body: str, broadcast: bool, recipients: list[str] | None = None) -> Response:
        if broadcast:
            message, people = services.send_broadcast(sender=sender, body=body)
        else:
            message, people = services.send_message(sender=sender, body=body, usercodes=recipients or [])
        return Response(message_shape(message, people, receipts=True), status=201)


class MessageView(APIView):
    @extend_schema(
        operation_id="messages_retrieve",
        summary="One message",
        responses={200: serializers.MessageSerializer},
    )
    def get(self, request: Request, pk: int) -> Response:
        message = get_object_or_404(Message.objects.visible_to(request.user), pk=pk)
        return Response(services.shapes_for(viewer=request.user, message_ids=[message.pk])[0])

    @extend_schema(
        operation_id="messages_delete",
        summary="Take a message back",
        description="Your own, for everybody, within 15 minutes. A tombstone without a body stays.",
        responses={204: None, **openapi.errors(403, 409)},
    )
    def delete(self, request: Request, pk: int) -> Response:
        message = get_object_or_404(Message.objects.visible_to(request.user), pk=pk)
        services.delete_message(message=message, by=request.user)
        return Response(status=204)


class RecipientListView(generics.GenericAPIView):
    pagination_class = RecipientPagination
    filter_backends: list = []
    queryset = Message.objects.none()
    serializer_class = serializers.RecipientSerializer

    @extend_schema(
        operation_id="messages_recipients",
        summary="Who a message was sent to",
        description="The sender also sees when each of them got it and read it.",
        responses={200: serializers.RecipientSerializer(many=True)},
    )
    def get(self, request: Request, pk: int) -> Response:
        message = get_object_or_404(Message.objects.visible_to(request.user), pk=pk)
        rows = recipient_rows(message, receipts=message.sender_id == request.user.pk)
        page = self.paginate_queryset(rows)
        return self.get_paginated_response([{k: v for k, v in row.items() if k != "position"} for row in page or ()])


class MessageReadView(APIView):
    @extend_schema(
        operation_id="messages_read_one",
        summary="Mark one message as read",
        request=None,
        responses={200: serializers.UnreadSerializer},
    )
    def post(self, request: Request, pk: int) -> Response:
        message = get_object_or_404(Message.objects.visible_to(request.user), pk=pk)
        return Response({"unread": services.mark_read(reader=request.user, up_to=message.pk, only=message.pk)})


class ReadView(APIView):
    @extend_schema(
        operation_id="messages_read",
        summary="Mark messages as read, up to one",
        request=serializers.ReadSerializer,
        responses={200: serializers.UnreadSerializer},
    )
    def post(self, request: Request) -> Response:
        asked = serializers.ReadSerializer(data=request.data)
        asked.is_valid(raise_exception=True)
        code = asked.validated_data.get("with")
        left = services.mark_read(
            reader=request.user,
            up_to=asked.validated_data["up_to"],
            peer=person_by_code(code) if code is not None else None,
            broadcast=asked.validated_data["broadcast"],
            from_deleted=asked.validated_data["from_deleted"],
        )
        return Response({"unread": left})


class UnreadView(APIView):
    @extend_schema(
        operation_id="messages_unread",
        summary="How many messages you have yet to read",
        responses={200: serializers.UnreadCountsSerializer},
    )
    def get(self, request: Request) -> Response:
        counts = services.unread_by_sender(request.user)
        return Response({"total": sum(each["count"] for each in counts), "by_sender": counts})
