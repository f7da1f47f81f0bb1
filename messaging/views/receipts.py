"""Marking messages as read, and counting unread ones."""

from django.shortcuts import get_object_or_404
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from config.api.scopes import read_write
from config.api.views import APIView

from ..history import unread_by_sender
from ..models import Message
from ..representation import UnreadCountsSerializer, UnreadTotalSerializer
from ..serializers import MarkReadSerializer
from ..services import receipts
from .lookups import user_by_code


class MessageReadView(APIView):
    scopes = read_write("messages")

    def check_visible(self) -> None:
        get_object_or_404(Message.objects.visible_to(self.request.user), pk=self.kwargs["pk"])

    @extend_schema(
        operation_id="messages_read_one",
        summary="Mark one message as read",
        description="Returns how many messages remain unread. Calling it again changes nothing.",
        request=None,
        responses={200: UnreadTotalSerializer},
    )
    def post(self, request: Request, pk: int) -> Response:
        message = get_object_or_404(Message.objects.visible_to(request.user), pk=pk)
        unread = receipts.mark_message_read(reader=request.user, message=message)
        return Response(UnreadTotalSerializer({"unread": unread}).data)


class ReadView(APIView):
    scopes = read_write("messages")

    @extend_schema(
        operation_id="messages_read",
        summary="Mark messages as read, up to one",
        description="Marks everything that you received up to the message `up_to`. Returns how many remain unread.",
        request=MarkReadSerializer,
        responses={200: UnreadTotalSerializer},
    )
    def post(self, request: Request) -> Response:
        serializer = MarkReadSerializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        filters = serializer.validated_data
        code = filters.pop("with", None)
        unread = receipts.mark_read(reader=request.user, peer=None if code is None else user_by_code(code), **filters)
        return Response(UnreadTotalSerializer({"unread": unread}).data)


class UnreadView(APIView):
    scopes = read_write("messages")

    @extend_schema(
        operation_id="messages_unread",
        summary="Count your unread messages",
        description="In total and for each sender.",
        responses={200: UnreadCountsSerializer},
    )
    def get(self, request: Request) -> Response:
        counts = unread_by_sender(request.user)
        total = sum(each["count"] for each in counts)
        return Response(UnreadCountsSerializer({"total": total, "by_sender": counts}).data)
