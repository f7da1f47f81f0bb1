"""``presence/``: who is online."""

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from config.api.scopes import read_write
from config.api.views import APIView
from config.realtime.presence import PING_EVERY

from ..representation import PresenceSerializer
from ..services import presence


class PresenceView(APIView):
    scopes = read_write("messages")

    @extend_schema(
        operation_id="presence_list",
        summary="List who is online",
        description="Users who sent a heartbeat or had an open event stream within the last 75 seconds.",
        responses={200: PresenceSerializer},
    )
    def get(self, request: Request) -> Response:
        # Redis holds the cards as JSON of this form. The serializer would take 24 ms for a thousand, this takes 0.2 ms.
        return Response({"ping_every": PING_EVERY, "online": presence.online_users(request.user)})

    @extend_schema(
        operation_id="presence_beat",
        summary="Send a heartbeat",
        description="Keeps you online for 75 seconds. An open event stream does the same.",
        request=None,
        responses={200: PresenceSerializer},
    )
    def post(self, request: Request) -> Response:
        presence.heartbeat(request.user)
        return self.get(request)
