"""``messages/``: histories, sending, one message, its recipients."""

from typing import Any

from django.http import HttpResponse
from django.shortcuts import get_object_or_404
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.models import User
from config.api import idempotency, openapi
from config.api.scopes import read_write
from config.api.throttles import SendThrottle
from config.api.validation import validated
from config.api.views import APIView, GenericAPIView
from config.json import dumps

from ..history import History, recipient_rows
from ..models import Message
from ..pagination import HistoryPagination, RecipientPagination
from ..representation import MessageSerializer, PersonSerializer, RecipientSerializer, message_data
from ..serializers import EditMessageSerializer, HistoryQuerySerializer, SendMessageSerializer
from ..services import broadcasts, deletion, editing, receipts, sending
from .lookups import user_by_code


class MessageListView(GenericAPIView):
    scopes = read_write("messages")
    pagination_class = HistoryPagination
    paginator: HistoryPagination
    filter_backends: list = []
    queryset = Message.objects.none()
    serializer_class = MessageSerializer

    def get_throttles(self) -> list:
        return [*super().get_throttles(), *([SendThrottle()] if self.request.method == "POST" else [])]

    @extend_schema(
        operation_id="messages_list",
        summary="List your messages",
        description="Messages that you sent or received, newest first. A page costs the same however long the history "
        "is. `search` finds messages by their text, in all conversations or with the other filters.",
        parameters=[HistoryQuerySerializer],
        responses={200: MessageSerializer(many=True), **openapi.errors(400)},
    )
    def get(self, request: Request) -> HttpResponse:
        filters = validated(HistoryQuerySerializer, request.query_params) if request.query_params else {}
        bounds = {name: filters.pop(name, None) for name in ("after", "before")}
        code = filters.pop("with", None)
        history = History(request.user, peer=None if code is None else user_by_code(code), **filters)
        rows = self.paginator.paginate_history(history, request, **bounds)
        receipts.mark_delivered(reader=request.user, rows=rows)
        return HttpResponse(self.paginator.json_page(), content_type="application/json")

    @extend_schema(
        operation_id="messages_send",
        summary="Send a message",
        description="To up to a hundred users by their usercodes, or to everybody who is online now.",
        parameters=[openapi.IDEMPOTENCY_KEY],
        request=SendMessageSerializer,
        responses={201: MessageSerializer, **openapi.errors(409, 422)},
    )
    def post(self, request: Request) -> Any:
        content = validated(SendMessageSerializer, request.data)
        return idempotency.run_once(request, content, lambda: self._send(request.user, **content))

    @staticmethod
    def _send(sender: User, *, body: str, broadcast: bool, recipients: list[str] | None = None) -> HttpResponse:
        if broadcast:
            message = broadcasts.send_broadcast(sender=sender, body=body)
        else:
            message = sending.send_message(sender=sender, body=body, usercodes=recipients or [])
        answer = dumps(message_data(message, with_times=True))
        return HttpResponse(answer, content_type="application/json", status=201)


class MessageView(APIView):
    scopes = read_write("messages")

    def get_throttles(self) -> list:
        return [*super().get_throttles(), *([SendThrottle()] if self.request.method == "PATCH" else [])]

    def check_visible(self) -> None:
        get_object_or_404(Message.objects.visible_to(self.request.user), pk=self.kwargs["pk"])

    @extend_schema(
        operation_id="messages_retrieve",
        summary="Get one message",
        description="Its sender and its recipients can see it.",
        responses={200: MessageSerializer},
    )
    def get(self, request: Request, pk: int) -> HttpResponse:
        message = get_object_or_404(Message.objects.visible_to(request.user), pk=pk)
        opened = receipts.open_message(reader=request.user, message_id=message.pk)
        return HttpResponse(opened, content_type="application/json")

    @extend_schema(
        operation_id="messages_update",
        summary="Edit a message",
        description="Only your own, within 15 minutes after you sent it. The recipients get the event `edited`, except "
        "those who have blocked you since. `edited_at` is null until the text changes.",
        request=EditMessageSerializer,
        responses={200: MessageSerializer, **openapi.errors(403, 409)},
    )
    def patch(self, request: Request, pk: int) -> HttpResponse:
        message = get_object_or_404(Message.objects.visible_to(request.user), pk=pk)
        content = validated(EditMessageSerializer, request.data, partial=True)
        editing.edit_message(message=message, by=request.user, **content)
        edited = receipts.open_message(reader=request.user, message_id=message.pk)
        return HttpResponse(edited, content_type="application/json")

    @extend_schema(
        operation_id="messages_delete",
        summary="Delete a message for everybody",
        description="Only your own, within 15 minutes after you sent it. A tombstone without a body stays.",
        responses={204: None, **openapi.errors(403, 409)},
    )
    def delete(self, request: Request, pk: int) -> Response:
        message = get_object_or_404(Message.objects.visible_to(request.user), pk=pk)
        deletion.delete_message(message=message, by=request.user)
        return Response(status=204)


class RecipientListView(GenericAPIView):
    scopes = read_write("messages")
    pagination_class = RecipientPagination
    filter_backends: list = []
    queryset = Message.objects.none()
    serializer_class = RecipientSerializer

    @extend_schema(
        operation_id="messages_recipients",
        summary="List the recipients of a message",
        description="The sender also sees when each recipient got and read it.",
        responses={200: RecipientSerializer(many=True)},
    )
    def get(self, request: Request, pk: int) -> Response:
        message = get_object_or_404(Message.objects.visible_to(request.user), pk=pk)
        serializer = RecipientSerializer if message.sender_id == request.user.pk else PersonSerializer
        page = self.paginate_queryset(recipient_rows(message))
        return self.get_paginated_response(serializer(page, many=True).data)
