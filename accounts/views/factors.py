"""The user's own second factors."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from drf_spectacular.utils import OpenApiExample, OpenApiParameter, extend_schema
from rest_framework import status
from rest_framework.exceptions import NotFound
from rest_framework.request import Request
from rest_framework.response import Response

from config.api.openapi import errors
from config.api.throttles import UserThrottle

from .. import serializers
from ..authentication import current_session
from ..devices import Device
from ..factors import policy
from ..models import Passkey, RecoveryCode, Totp, User
from ..services.factors import setup
from ..services.recent_sign_in import require_recent_sign_in
from ..throttles import ConfirmationThrottle
from .base import AccountAPIView, validated
from .second_step import CREDENTIAL, TICKET

RECENT = "Needs a sign-in, or `reauthenticate/`, within the last 15 minutes."


def factors_of(user: User) -> dict[str, Any]:
    """Return the second factors of ``user`` as the API shows them."""
    app = Totp.objects.filter(user=user).first()
    return {
        "required": policy.is_required(user),
        "totp": {"enabled": bool(app and app.is_enabled), "created_at": app and app.created_at},
        "passkeys": Passkey.objects.filter(user=user),
        "recovery_codes_left": RecoveryCode.objects.filter(user=user, used_at=None).count(),
    }


class FactorAPIView(AccountAPIView):
    """An endpoint about second factors. Its writes need a recent sign-in."""

    allowed_without_factor = True

    def require_recent_sign_in(self) -> None:
        require_recent_sign_in(session=current_session(self.request))


class FactorsView(FactorAPIView):
    @extend_schema(
        summary="Get your second factors",
        description="Your authenticator app, your passkeys, and the number of unused recovery codes.",
        responses=serializers.FactorsSerializer,
    )
    def get(self, request: Request) -> Response:
        return Response(serializers.FactorsSerializer(factors_of(self.user)).data)


class TotpView(FactorAPIView):
    throttle_classes = [UserThrottle, ConfirmationThrottle]

    @extend_schema(
        summary="Set up an authenticator app",
        description="Get the secret for an authenticator app. It works after `mfa/totp/confirm/`, within 15 minutes; "
        f"until then your present app works. {RECENT}",
        request=None,
        responses={200: serializers.EnrolmentSerializer},
    )
    def post(self, request: Request) -> Response:
        self.require_recent_sign_in()
        return Response(serializers.EnrolmentSerializer(setup.start_app(user=self.user)).data)

    @extend_schema(
        summary="Remove the authenticator app",
        description="The response is 204 even if you have none. It is 409 if this site requires a second factor and "
        f"this is your last one. {RECENT}",
        responses={204: None, **errors(409)},
    )
    def delete(self, request: Request) -> Response:
        self.require_recent_sign_in()
        setup.remove_app(user=self.user, device=Device.of(request))
        return Response(status=status.HTTP_204_NO_CONTENT)


class TotpConfirmView(FactorAPIView):
    throttle_classes = [UserThrottle, ConfirmationThrottle]

    @extend_schema(
        summary="Confirm the authenticator app",
        description="Send the first code that the app shows. If this is your first second factor, the response has ten "
        f"recovery codes, which are shown only now; otherwise the list is empty. {RECENT}",
        request=serializers.AppCodeSerializer,
        responses={200: serializers.RecoveryCodesSerializer},
        examples=[OpenApiExample("The first code", {"code": "492039"}, request_only=True)],
    )
    def post(self, request: Request) -> Response:
        self.require_recent_sign_in()
        code = validated(serializers.AppCodeSerializer, request)["code"]
        return Response({"recovery_codes": setup.confirm_app(user=self.user, code=code, device=Device.of(request))})


class PasskeyOptionsView(FactorAPIView):
    throttle_classes = [UserThrottle, ConfirmationThrottle]

    @extend_schema(
        summary="Add a passkey: options",
        description=f"Get the options for `navigator.credentials.create()` and a ticket for `mfa/passkeys/`. {RECENT}",
        request=None,
        responses={200: serializers.PasskeyChallengeSerializer, **errors(409)},
    )
    def post(self, request: Request) -> Response:
        self.require_recent_sign_in()
        return Response(serializers.PasskeyChallengeSerializer(setup.start_passkey(user=self.user)).data)


class PasskeysView(FactorAPIView):
    throttle_classes = [UserThrottle, ConfirmationThrottle]

    @extend_schema(
        summary="Add a passkey",
        description="Send what the browser returned. If this is your first second factor, the response also has ten "
        f"recovery codes, which are shown only now. {RECENT}",
        request=serializers.AddPasskeySerializer,
        responses={201: serializers.NewPasskeySerializer, **errors(409)},
        examples=[
            OpenApiExample(
                "A new passkey",
                {
                    "ticket": TICKET,
                    "name": "Phone",
                    "credential": {
                        **CREDENTIAL,
                        "response": {"clientDataJSON": "e30", "attestationObject": "o2M", "transports": ["internal"]},
                    },
                },
                request_only=True,
            )
        ],
    )
    def post(self, request: Request) -> Response:
        self.require_recent_sign_in()
        data = validated(serializers.AddPasskeySerializer, request)
        new = setup.add_passkey(user=self.user, **data, device=Device.of(request))
        body = dict(serializers.PasskeySerializer(new.passkey).data)
        if new.recovery_codes is not None:
            body["recovery_codes"] = new.recovery_codes
        return Response(body, status.HTTP_201_CREATED)


class PasskeyView(FactorAPIView):
    throttle_classes = [UserThrottle, ConfirmationThrottle]

    def own_passkey(self) -> Passkey:
        try:
            return Passkey.objects.get(user=self.user, pk=UUID(self.kwargs["id"]))
        except (ValueError, Passkey.DoesNotExist) as error:
            raise NotFound from error

    def check_visible(self) -> None:
        self.own_passkey()

    def stored_object(self) -> Mapping[str, Any]:
        return serializers.PasskeySerializer(self.own_passkey()).data

    @extend_schema(
        summary="Rename a passkey",
        description=RECENT,
        parameters=[OpenApiParameter("id", UUID, OpenApiParameter.PATH)],
        request=serializers.RenamePasskeySerializer,
        responses={200: serializers.PasskeySerializer},
        examples=[OpenApiExample("A name", {"name": "Phone"}, request_only=True)],
    )
    def patch(self, request: Request, id: str) -> Response:
        passkey = self.own_passkey()
        self.require_recent_sign_in()
        data = validated(serializers.RenamePasskeySerializer, request)
        renamed = setup.rename_passkey(user=self.user, id=passkey.pk, **data, device=Device.of(request))
        return Response(serializers.PasskeySerializer(renamed).data)

    @extend_schema(
        summary="Delete a passkey",
        description=f"409 if this site requires a second factor and this is your last one. {RECENT}",
        parameters=[OpenApiParameter("id", UUID, OpenApiParameter.PATH)],
        responses={204: None, **errors(409)},
    )
    def delete(self, request: Request, id: str) -> Response:
        passkey = self.own_passkey()
        self.require_recent_sign_in()
        setup.remove_passkey(user=self.user, id=passkey.pk, device=Device.of(request))
        return Response(status=status.HTTP_204_NO_CONTENT)


class RecoveryCodesView(FactorAPIView):
    throttle_classes = [UserThrottle, ConfirmationThrottle]

    @extend_schema(
        summary="Create new recovery codes",
        description=f"Ten codes, shown only now. The old ones no longer work. {RECENT}",
        request=None,
        responses={200: serializers.RecoveryCodesSerializer, **errors(409)},
    )
    def post(self, request: Request) -> Response:
        self.require_recent_sign_in()
        return Response({"recovery_codes": setup.new_recovery_codes(user=self.user, device=Device.of(request))})
