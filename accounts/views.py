"""Becoming a user and signing in: ``/api/v1/auth/``."""

from typing import Any

from drf_spectacular.utils import OpenApiExample, extend_schema
from rest_framework import status
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.serializers import BaseSerializer
from rest_framework.views import APIView

from config.openapi import errors
from config.throttling import AnonThrottle

from . import serializers
from .authentication import CHALLENGE
from .devices import Device
from .services import passwords, registration, sessions
from .throttles import LoginThrottle, MailThrottle, RegisterThrottle


def checked(serializer: type[BaseSerializer], request: Request, **options: Any) -> dict[str, Any]:
    """What the request says, validated; raises a validation error by field."""
    found = serializer(data=request.data, **options)
    found.is_valid(raise_exception=True)
    return found.validated_data


class OpenView(APIView):
    """For who is not signed in.

    Credentials sent along are not looked at: an expired access token must not hinder its own refresh.
    """

    authentication_classes: list = []
    permission_classes = [AllowAny]
    schema_tag = "auth"

    def get_authenticate_header(self, request: Request) -> str:
        return CHALLENGE


class RegisterView(OpenView):
    throttle_classes = [AnonThrottle, RegisterThrottle]

    @extend_schema(
        summary="Register",
        description="Makes an account and mails a link that confirms its address. An address that has an account "
        "already gets the same answer, and its owner a notice.",
        request=serializers.RegisterSerializer,
        responses={201: serializers.RegisteredSerializer},
        examples=[
            OpenApiExample(
                "A new account",
                {"email": "ada@example.org", "username": "ada", "password": "correct horse battery staple"},
                request_only=True,
            )
        ],
    )
    def post(self, request: Request) -> Response:
        data = checked(serializers.RegisterSerializer, request)
        registration.register(**data, device=Device.of(request))
        answer = {
            "email": data["email"],
            "username": data["username"],
            "detail": "We have sent a mail to this address. Follow its link to confirm it, then sign in.",
        }
        return Response(answer, status.HTTP_201_CREATED)


class VerifyEmailView(OpenView):
    @extend_schema(
        summary="Confirm an e-mail address",
        description="With the code of a mailed link, once: that of a registration or of a change of address.",
        request=serializers.CodeSerializer,
        responses={200: serializers.DetailSerializer, **errors(409)},
        examples=[OpenApiExample("The code of the link", {"token": "q2mCk9yUo0gk1Zp3b7TzXw"}, request_only=True)],
    )
    def post(self, request: Request) -> Response:
        registration.verify_email(code=checked(serializers.CodeSerializer, request)["token"])
        return Response({"detail": "The address is confirmed."})


class ResendVerificationView(OpenView):
    throttle_classes = [AnonThrottle, MailThrottle]

    @extend_schema(
        summary="Send the confirmation again",
        request=serializers.EmailSerializer,
        responses={202: serializers.DetailSerializer},
        examples=[OpenApiExample("An address", {"email": "ada@example.org"}, request_only=True)],
    )
    def post(self, request: Request) -> Response:
        email = checked(serializers.EmailSerializer, request)["email"]
        registration.resend_verification(email=email, device=Device.of(request))
        detail = "If an account waits for this address to be confirmed, a mail is on its way."
        return Response({"detail": detail}, status.HTTP_202_ACCEPTED)


class LoginView(OpenView):
    throttle_classes = [AnonThrottle, LoginThrottle]

    @extend_schema(
        summary="Log in",
        description="By e-mail address or username. The access token is good for ten minutes; `token/refresh/` makes "
        "the next.",
        request=serializers.LoginSerializer,
        responses={200: serializers.SignedInSerializer, **errors(401, 403)},
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
        data = checked(serializers.LoginSerializer, request)
        user = sessions.check_credentials(request=request._request, **data)
        signed_in = sessions.sign_in(user=user, password=data["password"], device=Device.of(request))
        return Response(serializers.SignedInSerializer(signed_in).data)


class RefreshView(OpenView):
    @extend_schema(
        summary="Refresh the tokens",
        description="Spends the refresh token and answers with its successor. For ten seconds the same client gets the "
        "same successor again, should it have lost the answer; a spent token presented later, or by another client, "
        "ends its session.",
        request=serializers.RefreshSerializer,
        responses={200: serializers.TokensSerializer, **errors(401)},
        examples=[OpenApiExample("The refresh token", {"refresh": "eyJhbGciOiJIUzI1NiIs…"}, request_only=True)],
    )
    def post(self, request: Request) -> Response:
        raw = checked(serializers.RefreshSerializer, request)["refresh"]
        renewed = sessions.refresh(raw=raw, device=Device.of(request))
        return Response(serializers.TokensSerializer(renewed).data)


class VerifyTokenView(OpenView):
    @extend_schema(
        summary="Ask whether a token is good",
        description="An access or a refresh token whose session still stands; 401 otherwise.",
        request=serializers.TokenSerializer,
        responses={200: serializers.TokenStateSerializer, **errors(401)},
        examples=[OpenApiExample("A token", {"token": "eyJhbGciOiJIUzI1NiIs…"}, request_only=True)],
    )
    def post(self, request: Request) -> Response:
        state = sessions.examine(raw=checked(serializers.TokenSerializer, request)["token"])
        return Response(serializers.TokenStateSerializer(state).data)


class LogoutView(OpenView):
    @extend_schema(
        summary="Log out",
        description="Ends the session of the refresh token; its access token is refused from then on too.",
        request=serializers.RefreshSerializer,
        responses={204: None, **errors(401)},
        examples=[OpenApiExample("The refresh token", {"refresh": "eyJhbGciOiJIUzI1NiIs…"}, request_only=True)],
    )
    def post(self, request: Request) -> Response:
        sessions.sign_out(raw=checked(serializers.RefreshSerializer, request)["refresh"])
        return Response(status=status.HTTP_204_NO_CONTENT)


class ResetPasswordView(OpenView):
    throttle_classes = [AnonThrottle, MailThrottle]

    @extend_schema(
        summary="Forgot the password",
        description="Mails a link that sets a new one, good for an hour, if the address belongs to an account.",
        request=serializers.EmailSerializer,
        responses={202: serializers.DetailSerializer},
        examples=[OpenApiExample("An address", {"email": "ada@example.org"}, request_only=True)],
    )
    def post(self, request: Request) -> Response:
        passwords.request_reset(email=checked(serializers.EmailSerializer, request)["email"], device=Device.of(request))
        detail = "If an account has this address, a mail is on its way."
        return Response({"detail": detail}, status.HTTP_202_ACCEPTED)


class NewPasswordView(OpenView):
    @extend_schema(
        summary="Set a new password",
        description="With the code of a mailed link, once. Every session of the user ends.",
        request=serializers.NewPasswordSerializer,
        responses={204: None},
        examples=[
            OpenApiExample(
                "The code of the link",
                {"token": "q2mCk9yUo0gk1Zp3b7TzXw", "password": "another horse battery staple"},
                request_only=True,
            )
        ],
    )
    def post(self, request: Request) -> Response:
        data = checked(serializers.NewPasswordSerializer, request)
        passwords.reset_password(code=data["token"], password=data["password"], device=Device.of(request))
        return Response(status=status.HTTP_204_NO_CONTENT)
