"""Personal access tokens, and access tokens for scripts on this site's pages."""

from uuid import UUID

from drf_spectacular.utils import OpenApiExample, OpenApiParameter, extend_schema
from rest_framework import status
from rest_framework.exceptions import NotFound
from rest_framework.request import Request
from rest_framework.response import Response

from config.api.openapi import errors

from .. import serializers, tokens
from ..authentication import CookieAuthentication, InvalidToken, current_session, session_from_cookie
from ..models import PersonalToken
from ..services import personal_tokens
from .base import AccountAPIView, validated


class TokensView(AccountAPIView):
    @extend_schema(
        summary="List your personal access tokens",
        description="Newest first, expired ones included. The tokens themselves are not stored.",
        responses=serializers.PersonalTokenSerializer(many=True),
    )
    def get(self, request: Request) -> Response:
        rows = PersonalToken.objects.filter(user=self.user)
        return Response(serializers.PersonalTokenSerializer(rows, many=True).data)

    @extend_schema(
        summary="Create a personal access token",
        description="For programs, such as Postman and scripts. Send it as `Authorization: Bearer atr_…`. `token` is "
        "shown this once. Requires a sign-in within the last 15 minutes, and a session.",
        request=serializers.NewTokenSerializer,
        responses={201: serializers.CreatedTokenSerializer, **errors(409)},
        examples=[
            OpenApiExample(
                "Reads notes until 2030",
                {"name": "Backup script", "scopes": ["notes:read"], "expires_at": "2030-01-01T00:00:00Z"},
                request_only=True,
            )
        ],
    )
    def post(self, request: Request) -> Response:
        data = validated(serializers.NewTokenSerializer, request)
        token, raw = personal_tokens.create_token(user=self.user, session=current_session(request), **data)
        body = {**serializers.PersonalTokenSerializer(token).data, "token": raw}
        return Response(body, status.HTTP_201_CREATED)


class TokenView(AccountAPIView):
    def token_id(self) -> UUID:
        try:
            return UUID(self.kwargs["id"])
        except ValueError as error:
            raise NotFound from error

    def check_visible(self) -> None:
        if not PersonalToken.objects.filter(user=self.user, pk=self.token_id()).exists():
            raise NotFound

    @extend_schema(
        summary="Revoke a personal access token",
        description="The token is refused from the next request on, and its event streams are closed.",
        parameters=[OpenApiParameter("id", UUID, OpenApiParameter.PATH)],
        responses={204: None},
    )
    def delete(self, request: Request, id: str) -> Response:
        if not personal_tokens.revoke_token(user=self.user, token_id=self.token_id()):
            raise NotFound
        return Response(status=status.HTTP_204_NO_CONTENT)


class TokenFromSessionView(AccountAPIView):
    authentication_classes = [CookieAuthentication]

    @extend_schema(
        summary="Get an access token for a page of this site",
        description="Needs the cookie of this site's session and its CSRF token. There is no refresh token: call again "
        "before the token expires. It ends with the session of the cookie.",
        request=None,
        responses=serializers.AccessSerializer,
    )
    def post(self, request: Request) -> Response:
        session = session_from_cookie(request)
        if session is None:
            raise InvalidToken
        access, seconds = tokens.access_token_of_cookie(session)
        return Response({"access": access, "expires_in": seconds})
