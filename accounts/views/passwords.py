"""Resetting and changing passwords."""

from drf_spectacular.utils import OpenApiExample, extend_schema
from rest_framework import status
from rest_framework.request import Request
from rest_framework.response import Response

from config.api.throttles import AnonThrottle, UserThrottle

from .. import serializers
from ..authentication import current_session, keep_cookie_session
from ..devices import Device
from ..services import passwords
from ..throttles import ConfirmationThrottle, MailThrottle
from .base import AccountAPIView, PublicAPIView, validated


class ResetPasswordView(PublicAPIView):
    throttle_classes = [AnonThrottle, MailThrottle]

    @extend_schema(
        summary="Request a password reset",
        description="Receive a link that sets a new password, if the address belongs to an account. The link is valid "
        "for one hour.",
        request=serializers.EmailSerializer,
        responses={202: serializers.DetailSerializer},
        examples=[OpenApiExample("An address", {"email": "ada@example.org"}, request_only=True)],
    )
    def post(self, request: Request) -> Response:
        email = validated(serializers.EmailSerializer, request)["email"]
        passwords.request_reset(email=email, device=Device.of(request))
        detail = "If this address has an account, we have sent an e-mail to it."
        return Response({"detail": detail}, status.HTTP_202_ACCEPTED)


class NewPasswordView(PublicAPIView):
    @extend_schema(
        summary="Set a new password",
        description="Set a new password with the code of a mailed link. A code works once. All sessions of the user "
        "end.",
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
        data = validated(serializers.NewPasswordSerializer, request)
        passwords.reset_password(code=data["token"], password=data["password"], device=Device.of(request))
        return Response(status=status.HTTP_204_NO_CONTENT)


class ChangePasswordView(AccountAPIView):
    throttle_classes = [UserThrottle, ConfirmationThrottle]

    @extend_schema(
        summary="Change your password",
        description="All your other sessions end.",
        request=serializers.ChangePasswordSerializer,
        responses={204: None},
        examples=[
            OpenApiExample(
                "Both passwords",
                {
                    "current_password": "correct horse battery staple",
                    "new_password": "another horse battery staple",
                },
                request_only=True,
            )
        ],
    )
    def post(self, request: Request) -> Response:
        data = validated(serializers.ChangePasswordSerializer, request)
        session = current_session(request)
        user = passwords.change_password(
            user=self.user,
            current=data["current_password"],
            new=data["new_password"],
            keep=session,
            device=Device.of(request),
        )
        if request.auth is None:
            keep_cookie_session(request._request, user, session)
        return Response(status=status.HTTP_204_NO_CONTENT)
