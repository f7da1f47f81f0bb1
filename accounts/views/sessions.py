"""Signing in, tokens, and signed-in devices."""

from uuid import UUID

from django.contrib.auth import logout
from django.db.models import QuerySet
from drf_spectacular.utils import OpenApiExample, OpenApiParameter, PolymorphicProxySerializer, extend_schema
from rest_framework import status
from rest_framework.exceptions import NotFound
from rest_framework.request import Request
from rest_framework.response import Response

from config.api.openapi import errors
from config.api.throttles import AnonThrottle
from config.api.validation import represented

from .. import serializers
from ..authentication import current_session
from ..devices import Device
from ..models import UserSession
from ..services import sessions
from ..services.factors.second_step import SecondStep
from ..throttles import LoginThrottle
from .base import AccountAPIView, PublicAPIView, validated


class LoginView(PublicAPIView):
    throttle_classes = [AnonThrottle, LoginThrottle]

    @extend_schema(
        summary="Log in",
        description="Log in with an e-mail address or a username. The access token is valid for ten minutes; get the "
        "next one from `token/refresh/`. For an account with a second factor the response has `mfa_required` and a "
        "ticket instead of tokens: continue with `login/mfa/`.",
        request=serializers.LoginSerializer,
        responses={
            200: PolymorphicProxySerializer(
                component_name="LoginResult",
                serializers=[serializers.SignedInSerializer, serializers.SecondStepSerializer],
                resource_type_field_name=None,
            ),
            **errors(401, 403),
        },
        examples=[
            OpenApiExample(
                "By e-mail address",
                {"email": "ada@example.org", "password": "correct horse battery staple"},
                request_only=True,
            ),
            OpenApiExample(
                "By username", {"username": "ada", "password": "correct horse battery staple"}, request_only=True
            ),
        ],
    )
    def post(self, request: Request) -> Response:
        data = validated(serializers.LoginSerializer, request)
        user = sessions.check_credentials(request=request._request, **data)
        result = sessions.sign_in(user=user, password=data["password"], device=Device.of(request))
        if isinstance(result, SecondStep):
            return Response(serializers.SecondStepSerializer(result).data)
        return Response(represented(serializers.SignedInSerializer, result))


class RefreshView(PublicAPIView):
    @extend_schema(
        summary="Refresh the tokens",
        description="Exchange a refresh token for a new access token and a new refresh token. The old refresh token is "
        "spent. If the response was lost, send the old token again: it gives the same response until one of the new "
        "tokens is used, for at most ten minutes. After that it is 401 and the whole session ends.",
        request=serializers.RefreshSerializer,
        responses={200: serializers.TokensSerializer, **errors(401)},
        examples=[OpenApiExample("The refresh token", {"refresh": "eyJhbGciOiJIUzI1NiIs…"}, request_only=True)],
    )
    def post(self, request: Request) -> Response:
        raw = validated(serializers.RefreshSerializer, request)["refresh"]
        return Response(represented(serializers.TokensSerializer, sessions.refresh(raw=raw, device=Device.of(request))))


class VerifyTokenView(PublicAPIView):
    @extend_schema(
        summary="Check a token",
        description="Check an access or refresh token. The response is 401 if the token is invalid or its session has "
        "ended.",
        request=serializers.TokenSerializer,
        responses={200: serializers.TokenStateSerializer, **errors(401)},
        examples=[OpenApiExample("A token", {"token": "eyJhbGciOiJIUzI1NiIs…"}, request_only=True)],
    )
    def post(self, request: Request) -> Response:
        state = sessions.inspect_token(raw=validated(serializers.TokenSerializer, request)["token"])
        return Response(serializers.TokenStateSerializer(state).data)


class LogoutView(PublicAPIView):
    @extend_schema(
        summary="Log out",
        description="End the session of the refresh token. Its access token becomes invalid too.",
        request=serializers.RefreshSerializer,
        responses={204: None, **errors(401)},
        examples=[OpenApiExample("The refresh token", {"refresh": "eyJhbGciOiJIUzI1NiIs…"}, request_only=True)],
    )
    def post(self, request: Request) -> Response:
        sessions.sign_out(raw=validated(serializers.RefreshSerializer, request)["refresh"])
        return Response(status=status.HTTP_204_NO_CONTENT)


class LogoutAllView(AccountAPIView):
    allowed_without_factor = True

    @extend_schema(
        summary="Log out everywhere",
        description="End all your sessions: this one, those of other clients, and those of this site's pages.",
        request=None,
        responses={204: None},
    )
    def post(self, request: Request) -> Response:
        sessions.end_own_sessions(user=self.user)
        if request.auth is None:
            logout(request._request)
        return Response(status=status.HTTP_204_NO_CONTENT)


class SessionsView(AccountAPIView):
    allowed_without_factor = True

    @extend_schema(
        summary="List your signed-in devices",
        description="The last 200 sessions, most recently used first.",
        responses=serializers.SessionSerializer(many=True),
    )
    def get(self, request: Request) -> Response:
        current = current_session(request)
        rows = UserSession.objects.live().filter(user=self.user)[:200]
        context = {"current": current.pk if current else None}
        return Response(serializers.SessionSerializer(rows, many=True, context=context).data)


class SessionView(AccountAPIView):
    allowed_without_factor = True

    def own_session(self) -> QuerySet[UserSession]:
        try:
            return UserSession.objects.live().filter(user=self.user, pk=UUID(self.kwargs["id"]))
        except ValueError as error:
            raise NotFound from error

    def check_visible(self) -> None:
        if not self.own_session().exists():
            raise NotFound

    @extend_schema(
        summary="Sign out a device",
        description="End one of your sessions. Its tokens and its cookie become invalid.",
        parameters=[OpenApiParameter("id", UUID, OpenApiParameter.PATH)],
        responses={204: None},
    )
    def delete(self, request: Request, id: str) -> Response:
        session = self.own_session().first()
        if session is None or not sessions.end_own_sessions(user=self.user, session_id=session.pk):
            raise NotFound
        return Response(status=status.HTTP_204_NO_CONTENT)
