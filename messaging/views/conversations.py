"""``conversations/``."""

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from config.api import openapi
from config.api.scopes import read_write
from config.api.views import APIView

from ..conversations import conversations_of
from ..representation import ConversationsSerializer
from ..serializers import ConversationsQuerySerializer


class ConversationListView(APIView):
    scopes = read_write("messages")

    @extend_schema(
        operation_id="conversations_list",
        summary="List your conversations",
        description="Everybody with whom you have exchanged messages, newest first, each with the last message and the "
        "number of unread ones. Follow `next_before` until it is null.",
        parameters=[ConversationsQuerySerializer],
        responses={200: ConversationsSerializer, **openapi.errors(400)},
    )
    def get(self, request: Request) -> Response:
        query = ConversationsQuerySerializer(data=request.query_params)
        query.is_valid(raise_exception=True)
        page = conversations_of(request.user, **query.validated_data)
        return Response(ConversationsSerializer(page).data)
