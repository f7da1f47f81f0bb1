"""What somebody signed in may see and do about themselves: ``/api/v1/auth/``."""

from typing import Any
from uuid import UUID

from django.contrib.auth import logout
from drf_spectacular.utils import OpenApiExample, OpenApiParameter, extend_schema
from rest_framework import status
from rest_framework.exceptions import NotFound
from rest_framework.parsers import FormParser, MultiPartParser
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from config.codecs import JSONParser
from config.errors import PayloadTooLarge
from config.openapi import errors
from config.throttling import UploadThrottle, UserThrottle

from . import export, serializers
from .authentication import InvalidToken, current_session, stay_signed_in
from .devices import Device
from .images import MAX_BYTES
from .models import GONE, User, UserSession
from .services import deletion, emails, passwords, profiles, sessions
from .throttles import ConfirmationThrottle, MailThrottle
from .views import checked


class SelfView(APIView):
    """For somebody signed in, about nobody else."""

    schema_tag = "auth"

    @property
    def user(self) -> User:
        user = self.request.user
        if not isinstance(user, User):
            raise TypeError("A view for somebody signed in was reached by nobody.")
        return user

    def handle_exception(self, exc: Exception) -> Response:
        # The account has gone since the request was let in, by another request of theirs.
        return super().handle_exception(InvalidToken() if isinstance(exc, GONE) else exc)


class LogoutAllView(SelfView):
    @extend_schema(
        summary="Log out everywhere",
        description="Ends every session of yours, this one and those of this site's own pages included.",
        request=None,
        responses={204: None},
    )
    def post(self, request: Request) -> Response:
        sessions.end_sessions(UserSession.objects.filter(user=self.user))
        if request.auth is None:
            logout(request._request)
        return Response(status=status.HTTP_204_NO_CONTENT)


class SessionsView(SelfView):
    @extend_schema(
        summary="Your signed-in devices",
        description="The latest two hundred, the one last used first.",
        responses=serializers.SessionSerializer(many=True),
    )
    def get(self, request: Request) -> Response:
        current = current_session(request)
        found = UserSession.objects.live().filter(user=self.user)[:200]
        context = {"current": current.pk if current else None}
        return Response(serializers.SessionSerializer(found, many=True, context=context).data)


class SessionView(SelfView):
    @extend_schema(
        summary="Sign a device out",
        parameters=[OpenApiParameter("id", UUID, OpenApiParameter.PATH)],
        responses={204: None},
    )
    def delete(self, request: Request, id: str) -> Response:
        try:
            mine = UserSession.objects.live().filter(user=self.user, pk=UUID(id))
        except ValueError as error:
            raise NotFound from error
        if not sessions.end_sessions(mine):
            raise NotFound
        return Response(status=status.HTTP_204_NO_CONTENT)


class ChangePasswordView(SelfView):
    throttle_classes = [UserThrottle, ConfirmationThrottle]

    @extend_schema(
        summary="Change your password",
        description="Every other session of yours ends.",
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
        data = checked(serializers.ChangePasswordSerializer, request)
        session = current_session(request)
        user = passwords.change_password(
            user=self.user,
            current=data["current_password"],
            new=data["new_password"],
            keep=session,
            device=Device.of(request),
        )
        if request.auth is None:
            stay_signed_in(request._request, user, session)
        return Response(status=status.HTTP_204_NO_CONTENT)


class ChangeEmailView(SelfView):
    throttle_classes = [UserThrottle, ConfirmationThrottle, MailThrottle]

    @extend_schema(
        summary="Change your e-mail address",
        description="Mails a link to the new address, and a notice to the present one. The change takes effect when "
        "the link is used.",
        request=serializers.ChangeEmailSerializer,
        responses={202: serializers.DetailSerializer},
        examples=[
            OpenApiExample(
                "The new address",
                {"email": "ada.lovelace@example.org", "password": "correct horse battery staple"},
                request_only=True,
            )
        ],
    )
    def post(self, request: Request) -> Response:
        data = checked(serializers.ChangeEmailSerializer, request)
        emails.request_change(user=self.user, **data, device=Device.of(request))
        detail = "We have sent a mail to the new address. The change takes effect when you follow its link."
        return Response({"detail": detail}, status.HTTP_202_ACCEPTED)


class ProfileView(SelfView):
    parser_classes = [JSONParser, MultiPartParser, FormParser]

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        super().initial(request, *args, **kwargs)
        # Before anything of the body is read; the other fields and the multipart headers fit into the rest.
        if int(request.META.get("CONTENT_LENGTH") or 0) > MAX_BYTES + 100_000:
            raise PayloadTooLarge("A picture has at most 5 MB.")

    def get_throttles(self) -> list:
        throttles = super().get_throttles()
        is_upload = "multipart" in self.request.META.get("CONTENT_TYPE", "")
        return [*throttles, UploadThrottle()] if is_upload else throttles

    @extend_schema(summary="Your profile", responses=serializers.ProfileSerializer)
    def get(self, request: Request) -> Response:
        return Response(serializers.ProfileSerializer(profiles.profile_of(self.user)).data)

    @extend_schema(
        summary="Change your profile",
        description="Only the fields that are sent. A picture is sent as multipart, is cut down to 512 pixels and "
        "loses its metadata.",
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
        data = checked(serializers.ProfileChangesSerializer, request, partial=True)
        names = data.pop("user", {})
        if "image" in data and data["image"] is None:
            profiles.remove_picture(user=self.user)
        picture = data.pop("image", None)
        profile = profiles.update_profile(user=self.user, names=names, picture=picture, **data)
        return Response(serializers.ProfileSerializer(profile).data)


class ProfileImageView(SelfView):
    @extend_schema(summary="Remove your picture", responses={204: None})
    def delete(self, request: Request) -> Response:
        profiles.remove_picture(user=self.user)
        return Response(status=status.HTTP_204_NO_CONTENT)


class ExportView(SelfView):
    @extend_schema(
        summary="Export everything about you",
        description="All that the product holds of you, in one document: `account`, and a part for each other domain.",
        responses={200: {"type": "object", "additionalProperties": True}},
    )
    def get(self, request: Request) -> Response:
        headers = {"Content-Disposition": 'attachment; filename="atrium-export.json"'}
        return Response(export.document(self.user), headers=headers)


class AccountView(SelfView):
    delete_takes_body = True
    throttle_classes = [UserThrottle, ConfirmationThrottle]

    @extend_schema(
        summary="Delete your account",
        description="With your password. You and all that only you own are gone at once; messages that you sent stay, "
        "without a sender.",
        request=serializers.ConfirmationSerializer,
        responses={204: None, **errors(400)},
        examples=[OpenApiExample("Your password", {"password": "correct horse battery staple"}, request_only=True)],
    )
    def delete(self, request: Request) -> Response:
        data = checked(serializers.ConfirmationSerializer, request)
        deletion.delete_account(user=self.user, password=data["password"], device=Device.of(request))
        if request.auth is None:
            logout(request._request)
        return Response(status=status.HTTP_204_NO_CONTENT)
