"""Who is there: presence, the event stream, conversations, blocks, a person's card and picture."""

from typing import Any

from django.conf import settings
from django.http import Http404, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiExample, OpenApiParameter, OpenApiResponse, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts.models import User, UserSession
from config import openapi, presence, storage, tickets
from config.errors import ServiceUnavailable

from . import conversations, people, serializers, services
from .models import Block


class PresenceView(APIView):
    @extend_schema(
        operation_id="presence_list", summary="Who is online", responses={200: serializers.PresenceSerializer}
    )
    def get(self, request: Request) -> Response:
        return Response({"ping_every": presence.PING_EVERY, "online": people.online(request.user)})

    @extend_schema(
        operation_id="presence_beat",
        summary="Say that you are here",
        description="Keeps you online for 75 seconds. An open event stream does the same by itself.",
        request=None,
        responses={200: serializers.PresenceSerializer},
    )
    def post(self, request: Request) -> Response:
        presence.beat(request.user.pk, people.cards)
        return self.get(request)


class EventsView(APIView):
    @extend_schema(
        operation_id="events_stream",
        summary="Hear what happens, as it happens",
        description=(
            "Redirects to the events process with a ticket that is good for 30 seconds and one stream. There "
            "server-sent events follow: `message`, `deleted`, `read`, `presence`, `note`, `upload`, each with an `id`. "
            "`Last-Event-ID` resumes without loss or repeat. `resync` says that something may have been missed: fetch "
            "`messages/?after=` the last one you have. `ready` begins every stream. With `wait=25` the answer is JSON, "
            "`{events: [{id, type, data}], last_event_id}`, as soon as there is something to tell."
        ),
        parameters=[
            serializers.EventsQuerySerializer,
            OpenApiParameter("Last-Event-ID", str, OpenApiParameter.HEADER, description="The last event you saw."),
        ],
        responses={
            307: OpenApiResponse(description="`Location` is where the stream is."),
            (200, "text/event-stream"): OpenApiResponse(
                OpenApiTypes.STR,
                "What follows there.",
                [
                    OpenApiExample(
                        "A message",
                        'id: 1772366400000-0-5f1c\nevent: message\ndata: {"id": 1042, "body": "Lunch?"}\n\n',
                    )
                ],
            ),
            **openapi.errors(400),
        },
    )
    def get(self, request: Request) -> Any:
        asked = serializers.EventsQuerySerializer(data=request.query_params)
        asked.is_valid(raise_exception=True)
        if not settings.EVENTS_URL:
            raise ServiceUnavailable("No address is set for the events process (EVENTS_URL).")
        wait = asked.validated_data.get("wait")
        last = request.headers.get("Last-Event-ID") or asked.validated_data.get("last_event_id", "")
        people.greet(request.user)
        response = HttpResponseRedirect(
            tickets.url(
                request,
                session=session_of(request),
                last_event_id=last,
                wait=None if wait is None else min(wait, 55),
            )
        )
        response.status_code = 307
        response["Cache-Control"] = "no-store"
        return response


def session_of(request: Request) -> str:
    """The id of the session that the request comes with; when that ends, so do the streams opened in it."""
    if isinstance(request.auth, UserSession):
        return str(request.auth.pk)
    key = request.session.session_key
    return str(
        UserSession.objects.filter(user=request.user, session_key=key).values_list("pk", flat=True).first() or ""
    )


class ConversationListView(APIView):
    @extend_schema(
        operation_id="conversations_list",
        summary="Whom you write with",
        description="The people of your recent messages, each with the last one and how many you have yet to read.",
        parameters=[serializers.ConversationsQuerySerializer],
        responses={200: serializers.ConversationsSerializer, **openapi.errors(400)},
    )
    def get(self, request: Request) -> Response:
        asked = serializers.ConversationsQuerySerializer(data=request.query_params)
        asked.is_valid(raise_exception=True)
        return Response(conversations.recent(request.user, before=asked.validated_data.get("before")))


class BlockListView(APIView):
    @extend_schema(
        operation_id="blocks_list", summary="Whom you block", responses={200: serializers.BlockSerializer(many=True)}
    )
    def get(self, request: Request) -> Response:
        blocks = Block.objects.filter(blocker=request.user).select_related("blocked")
        return Response([block_shape(each) for each in blocks])


class BlockView(APIView):
    @extend_schema(
        operation_id="blocks_create",
        summary="Block somebody",
        description="What they write does not arrive, and they do not see you online. They are not told.",
        request=None,
        responses={201: serializers.BlockSerializer, 200: serializers.BlockSerializer, **openapi.errors(400)},
    )
    def post(self, request: Request, usercode: str) -> Response:
        blocked = get_object_or_404(User, usercode=usercode.upper())
        found, created = services.block(blocker=request.user, blocked=blocked)
        return Response(block_shape(found), status=201 if created else 200)

    @extend_schema(operation_id="blocks_delete", summary="Unblock somebody", request=None, responses={204: None})
    def delete(self, request: Request, usercode: str) -> Response:
        services.unblock(blocker=request.user, blocked=get_object_or_404(User, usercode=usercode.upper()))
        return Response(status=204)


def block_shape(found: Block) -> dict[str, Any]:
    return {
        "usercode": found.blocked.usercode,
        "username": found.blocked.username,
        "created_at": found.created_at,
    }


class PersonView(APIView):
    @extend_schema(
        operation_id="people_retrieve",
        summary="Whose code that is",
        responses={200: serializers.CardSerializer},
    )
    def get(self, request: Request, usercode: str) -> Response:
        user = get_object_or_404(User.objects.select_related("profile"), usercode=usercode.upper(), is_active=True)
        return Response(people.cards([user.pk])[user.pk])


class PictureView(APIView):
    @extend_schema(
        operation_id="people_picture",
        summary="A person's picture",
        description="Redirects to the file, by a link of five minutes.",
        responses={302: OpenApiResponse(description="`Location` is the picture.")},
    )
    def get(self, request: Request, usercode: str) -> Any:
        user = get_object_or_404(User.objects.select_related("profile"), usercode=usercode.upper(), is_active=True)
        image = people.image_of(user)
        if not image:
            raise Http404
        response = HttpResponseRedirect(storage.signed_url(image))
        response["Cache-Control"] = "private, max-age=240"
        return response
