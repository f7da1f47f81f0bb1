"""Registration and confirmation of e-mail addresses."""

from drf_spectacular.utils import OpenApiExample, extend_schema
from rest_framework import status
from rest_framework.request import Request
from rest_framework.response import Response

from config.api.openapi import errors
from config.api.throttles import AnonThrottle

from .. import serializers
from ..devices import Device
from ..services import invitations, registration, verification
from ..throttles import MailThrottle, RegisterThrottle
from .base import PublicAPIView, validated


class RegisterView(PublicAPIView):
    throttle_classes = [AnonThrottle, RegisterThrottle]

    @extend_schema(
        summary="Register",
        description="Register an account and receive a link that confirms the address. Using the link creates the "
        "account; the username is reserved for seven days. The response is the same if the address already has an "
        "account; its owner then receives a notice. With the code of an invitation the account is created at once, "
        "because the code was mailed to the address. 403 `registration_closed`: this site restricts who may register.",
        request=serializers.RegisterSerializer,
        responses={201: serializers.RegisteredSerializer, **errors(403, 409)},
        examples=[
            OpenApiExample(
                "A new account",
                {"email": "ada@example.org", "username": "ada", "password": "correct horse battery staple"},
                request_only=True,
            )
        ],
    )
    def post(self, request: Request) -> Response:
        data = validated(serializers.RegisterSerializer, request)
        if code := data.pop("invitation", ""):
            invitations.accept(code=code, **data)
            detail = "Your account is ready. Sign in."
        else:
            registration.register(**data, device=Device.of(request))
            detail = "We sent an e-mail to this address. Follow its link to confirm the address, then sign in."
        body = {"email": data["email"], "username": data["username"], "detail": detail}
        return Response(body, status.HTTP_201_CREATED)


class VerifyEmailView(PublicAPIView):
    @extend_schema(
        summary="Confirm an e-mail address",
        description="Send the code of a mailed link to create the account of a registration or to change the address "
        "of an account. A code works once. A link of a registration also ends the other registrations of its address.",
        request=serializers.CodeSerializer,
        responses={200: serializers.DetailSerializer, **errors(403, 409)},
        examples=[OpenApiExample("The code of the link", {"token": "q2mCk9yUo0gk1Zp3b7TzXw"}, request_only=True)],
    )
    def post(self, request: Request) -> Response:
        verification.verify_email(code=validated(serializers.CodeSerializer, request)["token"])
        return Response({"detail": "The address is confirmed."})


class ResendVerificationView(PublicAPIView):
    throttle_classes = [AnonThrottle, MailThrottle]

    @extend_schema(
        summary="Resend the confirmation e-mail",
        description="Receive a new link for each registration of the address that is not confirmed yet. The mail names "
        "the username.",
        request=serializers.EmailSerializer,
        responses={202: serializers.DetailSerializer},
        examples=[OpenApiExample("An address", {"email": "ada@example.org"}, request_only=True)],
    )
    def post(self, request: Request) -> Response:
        email = validated(serializers.EmailSerializer, request)["email"]
        registration.resend_verification(email=email, device=Device.of(request))
        detail = "If this address has an unconfirmed registration, we have sent an e-mail to it."
        return Response({"detail": detail}, status.HTTP_202_ACCEPTED)
