"""Signing in with a second factor or with a passkey, and proving again who is signed in."""

from typing import Any

from drf_spectacular.utils import OpenApiExample, extend_schema
from rest_framework import status
from rest_framework.request import Request
from rest_framework.response import Response

from config.api.throttles import AnonThrottle, UserThrottle

from .. import serializers
from ..authentication import current_session
from ..devices import Device
from ..services import sessions
from ..services.factors import reauthentication, second_step
from ..throttles import ConfirmationThrottle, SecondStepThrottle
from .base import AccountAPIView, PublicAPIView, validated

TICKET = "xS0kTqkXrRtk2VZkP4iBd7lEXk3c1a0b"
CREDENTIAL: dict[str, Any] = {
    "id": "AQIDBA",
    "rawId": "AQIDBA",
    "type": "public-key",
    "response": {"clientDataJSON": "e30", "authenticatorData": "AQID", "signature": "AQID", "userHandle": "AQID"},
}


class LoginMfaView(PublicAPIView):
    throttle_classes = [AnonThrottle, SecondStepThrottle]

    @extend_schema(
        summary="Log in: second step",
        description="Send the ticket of `login/` with a code of the authenticator app, a recovery code, or the "
        "credential of a passkey. After five wrong answers the ticket is void. After ten wrong codes of the app within "
        "an hour, over all tickets, the response is 429; passkeys and recovery codes still work.",
        request=serializers.SecondStepAnswerSerializer,
        responses={200: serializers.SignedInSerializer},
        examples=[
            OpenApiExample("A code of the app", {"ticket": TICKET, "code": "492039"}, request_only=True),
            OpenApiExample("A recovery code", {"ticket": TICKET, "code": "k3fq-7m2p-xw5a-bn6d"}, request_only=True),
            OpenApiExample("A passkey", {"ticket": TICKET, "credential": CREDENTIAL}, request_only=True),
        ],
    )
    def post(self, request: Request) -> Response:
        data = validated(serializers.SecondStepAnswerSerializer, request)
        signed_in = sessions.sign_in_with_second_step(**data, device=Device.of(request))
        return Response(serializers.SignedInSerializer(signed_in).data)


class PasskeyLoginOptionsView(PublicAPIView):
    throttle_classes = [AnonThrottle, SecondStepThrottle]

    @extend_schema(
        summary="Log in with a passkey: options",
        description="Get the options for `navigator.credentials.get()` and a ticket for `login/passkey/`. The device "
        "must verify its user, by a PIN or a fingerprint.",
        request=None,
        responses={200: serializers.PasskeyChallengeSerializer},
    )
    def post(self, request: Request) -> Response:
        return Response(serializers.PasskeyChallengeSerializer(second_step.begin_with_passkey()).data)


class PasskeyLoginView(PublicAPIView):
    throttle_classes = [AnonThrottle, SecondStepThrottle]

    @extend_schema(
        summary="Log in with a passkey",
        description="Log in without a password. A passkey counts as both steps.",
        request=serializers.PasskeyAnswerSerializer,
        responses={200: serializers.SignedInSerializer},
        examples=[OpenApiExample("A passkey", {"ticket": TICKET, "credential": CREDENTIAL}, request_only=True)],
    )
    def post(self, request: Request) -> Response:
        data = validated(serializers.PasskeyAnswerSerializer, request)
        signed_in = sessions.sign_in_with_passkey(**data, device=Device.of(request))
        return Response(serializers.SignedInSerializer(signed_in).data)


class ReauthenticateOptionsView(AccountAPIView):
    allowed_without_factor = True
    throttle_classes = [UserThrottle, ConfirmationThrottle]

    @extend_schema(
        summary="Confirm who you are: options of a passkey",
        description="Get the options for `navigator.credentials.get()` and a ticket for `reauthenticate/`.",
        request=None,
        responses={200: serializers.PasskeyChallengeSerializer},
    )
    def post(self, request: Request) -> Response:
        return Response(serializers.PasskeyChallengeSerializer(reauthentication.begin(user=self.user)).data)


class ReauthenticateView(AccountAPIView):
    allowed_without_factor = True
    throttle_classes = [UserThrottle, ConfirmationThrottle]

    @extend_schema(
        summary="Confirm who you are",
        description="Calls that change second factors or create tokens need a sign-in within the last 15 minutes, or "
        "this call. Send your password. If you have a second factor, send a code or a passkey; then the password is "
        "optional.",
        request=serializers.ReauthenticateSerializer,
        responses={204: None},
        examples=[
            OpenApiExample("Your password", {"password": "correct horse battery staple"}, request_only=True),
            OpenApiExample("A code of the app", {"code": "492039"}, request_only=True),
            OpenApiExample("A passkey", {"ticket": TICKET, "credential": CREDENTIAL}, request_only=True),
        ],
    )
    def post(self, request: Request) -> Response:
        data = validated(serializers.ReauthenticateSerializer, request)
        reauthentication.reauthenticate(user=self.user, session=current_session(request), **data)
        return Response(status=status.HTTP_204_NO_CONTENT)
