"""The user's own account: profile, e-mail address, data export, deletion."""

from collections.abc import Mapping
from typing import Any

from django.contrib.auth import logout
from django.http import HttpResponse
from drf_spectacular.utils import OpenApiExample, extend_schema
from rest_framework import status
from rest_framework.parsers import FormParser, MultiPartParser
from rest_framework.request import Request
from rest_framework.response import Response

from config import audit
from config.api.errors import PayloadTooLarge
from config.api.json import JSONParser
from config.api.openapi import errors
from config.api.throttles import UploadThrottle, UserThrottle
from config.json import dumps

from .. import personal_data, serializers
from ..authentication import current_session
from ..devices import Device
from ..images import MAX_BYTES
from ..services import deletion, emails, profiles
from ..throttles import ConfirmationThrottle, MailThrottle
from .base import AccountAPIView, validated


class ProfileView(AccountAPIView):
    allowed_without_factor = True
    parser_classes = [JSONParser, MultiPartParser, FormParser]
    scopes = {"GET": ("account:read",)}
    own_calls = {"email": "POST /api/v1/auth/change-email/"}

    def stored_object(self) -> Mapping[str, Any]:
        return serializers.profile_data(profiles.profile_of(self.user))

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        super().initial(request, *args, **kwargs)
        # Checked before the body is read. The allowance covers the other fields and the multipart headers.
        if int(request.META.get("CONTENT_LENGTH") or 0) > MAX_BYTES + 100_000:
            raise PayloadTooLarge("The picture is larger than 5 MB.")

    def get_throttles(self) -> list:
        throttles = super().get_throttles()
        is_upload = "multipart" in self.request.META.get("CONTENT_TYPE", "")
        return [*throttles, UploadThrottle()] if is_upload else throttles

    @extend_schema(
        summary="Get your profile",
        description="Your names, settings and picture, with your username, e-mail address and usercode.",
        responses=serializers.ProfileSerializer,
    )
    def get(self, request: Request) -> HttpResponse:
        body = dumps(serializers.profile_data(profiles.profile_of(self.user)))
        return HttpResponse(body, content_type="application/json")

    @extend_schema(
        summary="Update your profile",
        description="Fields that you do not send stay unchanged. Send a picture as multipart; it is scaled down to 512 "
        "pixels and its metadata is removed.",
        request={
            "application/json": serializers.ProfileChangesSerializer,
            "multipart/form-data": serializers.ProfileChangesSerializer,
        },
        responses={200: serializers.ProfileSerializer, **errors(413)},
        examples=[
            OpenApiExample(
                "Some fields",
                {"first_name": "Ada", "last_name": "Lovelace", "timezone": "Europe/London"},
                request_only=True,
                media_type="application/json",
            )
        ],
    )
    def patch(self, request: Request) -> Response:
        data = validated(serializers.ProfileChangesSerializer, request, partial=True)
        names = data.pop("user", {})
        picture = data.pop("image", None)
        profile = profiles.update_profile(user=self.user, names=names, picture=picture, **data)
        return Response(serializers.profile_data(profile))


class ProfileImageView(AccountAPIView):
    allowed_without_factor = True

    @extend_schema(
        summary="Remove your picture",
        description="The response is 204 even if you have no picture.",
        responses={204: None},
    )
    def delete(self, request: Request) -> Response:
        profiles.remove_picture(user=self.user)
        return Response(status=status.HTTP_204_NO_CONTENT)


class ChangeEmailView(AccountAPIView):
    throttle_classes = [UserThrottle, ConfirmationThrottle, MailThrottle]

    @extend_schema(
        summary="Change your e-mail address",
        description="Sends a link to the new address and a notice to the current one. The change takes effect when the "
        "link is used. An account without a password needs a sign-in within the last 15 minutes instead, such as with "
        "`/oidc/login/?reauth=1`; else 403 `reauthentication_required`.",
        request=serializers.ChangeEmailSerializer,
        responses={202: serializers.DetailSerializer, **errors(403)},
        examples=[
            OpenApiExample(
                "The new address",
                {"email": "ada.lovelace@example.org", "password": "correct horse battery staple"},
                request_only=True,
            )
        ],
    )
    def post(self, request: Request) -> Response:
        data = validated(serializers.ChangeEmailSerializer, request)
        emails.request_change(user=self.user, **data, session=current_session(request), device=Device.of(request))
        detail = "We sent an e-mail to the new address. Follow its link to change the address of your account."
        return Response({"detail": detail}, status.HTTP_202_ACCEPTED)


class ExportView(AccountAPIView):
    @extend_schema(
        summary="Export your data",
        description="Everything that Atrium stores about you as one JSON document: `account`, and a key for each other "
        "domain.",
        responses={200: {"type": "object", "additionalProperties": True}},
    )
    def get(self, request: Request) -> Response:
        audit.record("data_exported", user=self.user)
        headers = {"Content-Disposition": 'attachment; filename="atrium-export.json"'}
        return Response(personal_data.document(self.user), headers=headers)


class AccountView(AccountAPIView):
    delete_takes_body = True
    throttle_classes = [UserThrottle, ConfirmationThrottle]

    @extend_schema(
        summary="Delete your account",
        description="Delete your account and everything that only you own, immediately and permanently. Messages that "
        "you sent stay with their recipients, without a sender. An account without a password needs a sign-in within "
        "the last 15 minutes instead, such as with `/oidc/login/?reauth=1`; else 403 `reauthentication_required`.",
        request=serializers.ConfirmationSerializer,
        responses={204: None, **errors(400, 403)},
        examples=[OpenApiExample("Your password", {"password": "correct horse battery staple"}, request_only=True)],
    )
    def delete(self, request: Request) -> Response:
        data = validated(serializers.ConfirmationSerializer, request)
        deletion.delete_account(
            user=self.user, password=data.get("password"), session=current_session(request), device=Device.of(request)
        )
        if request.auth is None:
            logout(request._request)
        return Response(status=status.HTTP_204_NO_CONTENT)
