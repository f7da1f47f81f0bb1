"""``events/``: the way to the event stream."""

from typing import Any

from django.conf import settings
from django.http import HttpResponseRedirect
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiExample, OpenApiParameter, OpenApiResponse, extend_schema
from rest_framework.request import Request

from accounts.models import PersonalToken, UserSession
from config.api import openapi
from config.api.errors import ServiceUnavailable
from config.api.scopes import EVENT_SCOPES, event_kinds
from config.api.views import APIView
from config.realtime import tickets

from ..serializers import EventsQuerySerializer
from ..services import presence

MAX_WAIT = 55  # seconds of a long poll


class EventsView(APIView):
    scopes = {"GET": tuple(sorted(set(EVENT_SCOPES.values())))}

    @extend_schema(
        operation_id="events_stream",
        summary="Open the event stream",
        description=(
            "Redirects to the events process with a ticket that is valid for 30 seconds and one stream. The events "
            "are server-sent: `message`, `edited`, `deleted`, `read`, `presence`, `note`, `upload`, each with an `id`. "
            "Every stream starts with `ready`. `Last-Event-ID` resumes without loss or repetition. After `resync` "
            "events may be missing: fetch `messages/?after=` with the last id you have, and "
            "`messages/?changed_since=`. With `wait=25` the answer is JSON, `{events: [{id, type, data}], "
            "last_event_id}`, as soon as there is an event."
        ),
        parameters=[
            EventsQuerySerializer,
            OpenApiParameter(
                "Last-Event-ID", str, OpenApiParameter.HEADER, description="The id of the last event you received."
            ),
        ],
        responses={
            307: OpenApiResponse(description="`Location` is the address of the stream."),
            (200, "text/event-stream"): OpenApiResponse(
                OpenApiTypes.STR,
                "The answer of that address.",
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
        query = EventsQuerySerializer(data=request.query_params)
        query.is_valid(raise_exception=True)
        if not settings.EVENTS_URL:
            raise ServiceUnavailable("Event streams are not set up on this server (EVENTS_URL is empty).")
        wait = query.validated_data.get("wait")
        presence.prepare_stream(request.user)
        response = HttpResponseRedirect(
            tickets.url(
                request,
                session=_session_id(request),
                last_event_id=request.headers.get("Last-Event-ID") or query.validated_data.get("last_event_id", ""),
                wait=None if wait is None else min(wait, MAX_WAIT),
                kinds=event_kinds(request.auth),
                expires_at=request.auth.expires_at if isinstance(request.auth, PersonalToken) else None,
            )
        )
        response.status_code = 307
        response["Cache-Control"] = "no-store"
        return response


def _session_id(request: Request) -> str:
    """Return the id of the request's session or token. Its streams are closed when the session or token ends."""
    if request.auth is not None:
        return str(request.auth.pk)
    sessions = UserSession.objects.filter(user=request.user, session_key=request.session.session_key)
    return str(sessions.values_list("pk", flat=True).first() or "")
