"""What clients of accounts send and get."""

import functools
import zoneinfo
from datetime import date, timedelta
from typing import Any

from django.core.validators import RegexValidator
from django.utils import timezone
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from config import storage
from config.errors import PayloadTooLarge

from .addresses import normalised
from .backends import MAX_PASSWORD_LENGTH
from .images import MAX_BYTES
from .models import User, UserProfile, UserSession


@functools.cache
def known_timezones() -> set[str]:
    """The zones of the IANA database, without the two names in it that say nothing of a place."""
    return zoneinfo.available_timezones() - {"Factory", "localtime"}


class PasswordField(serializers.CharField):
    """At most 128 characters, kept as they are typed."""

    def __init__(self, **options: Any) -> None:
        options.setdefault("max_length", MAX_PASSWORD_LENGTH)
        super().__init__(trim_whitespace=False, style={"input_type": "password"}, write_only=True, **options)


class AddressField(serializers.EmailField):
    """An e-mail address, in the form in which it is stored."""

    def __init__(self, **options: Any) -> None:
        super().__init__(max_length=254, **options)

    def to_internal_value(self, data: Any) -> str:
        try:
            return normalised(super().to_internal_value(data))
        except ValueError:
            self.fail("invalid")


class CodeField(serializers.CharField):
    """The code of a mailed link, which is the last part of its address."""

    def __init__(self, **options: Any) -> None:
        super().__init__(max_length=100, help_text="The code at the end of the mailed link.", **options)


class RegisterSerializer(serializers.Serializer):
    email = AddressField()
    username = serializers.CharField(
        min_length=3,
        max_length=30,
        validators=[
            RegexValidator(r"^[A-Za-z0-9]+\Z", "A username is made of the letters A to Z and digits.", "invalid")
        ],
    )
    password = PasswordField()


class RegisteredSerializer(serializers.Serializer):
    email = serializers.EmailField()
    username = serializers.CharField()
    detail = serializers.CharField()


class CodeSerializer(serializers.Serializer):
    token = CodeField()


class EmailSerializer(serializers.Serializer):
    email = AddressField()


class DetailSerializer(serializers.Serializer):
    detail = serializers.CharField()


class LoginSerializer(serializers.Serializer):
    email = serializers.CharField(required=False, max_length=254, help_text="Or `username`.")
    username = serializers.CharField(required=False, max_length=254, help_text="Or `email`.")
    password = PasswordField()

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        login = attrs.get("email") or attrs.get("username")
        if not login:
            raise serializers.ValidationError({"email": ["Give an e-mail address or a username."]}, "required")
        return {"login": login, "password": attrs["password"]}


class UserSerializer(serializers.ModelSerializer):
    """Who is signed in, as a client shows it at once."""

    class Meta:
        model = User
        fields = ("username", "email", "usercode", "first_name", "last_name", "is_staff")
        read_only_fields = fields


class RefreshSerializer(serializers.Serializer):
    refresh = serializers.CharField(max_length=4096)


class TokenSerializer(serializers.Serializer):
    token = serializers.CharField(max_length=4096)


class TokensSerializer(serializers.Serializer):
    access = serializers.CharField(help_text="For ten minutes, as `Authorization: Bearer <access>`.")
    refresh = serializers.CharField(help_text="For `token/refresh/`, once.")


class SignedInSerializer(TokensSerializer):
    user = UserSerializer()


class TokenStateSerializer(serializers.Serializer):
    type = serializers.ChoiceField(["access", "refresh"])
    expires_at = serializers.DateTimeField()


class NewPasswordSerializer(CodeSerializer):
    password = PasswordField()


class ChangePasswordSerializer(serializers.Serializer):
    current_password = PasswordField()
    new_password = PasswordField()


class ChangeEmailSerializer(serializers.Serializer):
    email = AddressField()
    password = PasswordField()


class ConfirmationSerializer(serializers.Serializer):
    """The password once more, for what cannot be undone."""

    password = PasswordField()


class SessionSerializer(serializers.ModelSerializer):
    current = serializers.SerializerMethodField(help_text="Whether this request comes from it.")

    class Meta:
        model = UserSession
        fields = ("id", "created_at", "last_used_at", "ip", "user_agent", "current")
        read_only_fields = fields

    def get_current(self, session: UserSession) -> bool:
        return session.pk == self.context["current"]


class NamesSerializer(serializers.Serializer):
    """What a person may say of themselves."""

    first_name = serializers.CharField(source="user.first_name", max_length=150, allow_blank=True)
    last_name = serializers.CharField(source="user.last_name", max_length=150, allow_blank=True)
    date_of_birth = serializers.DateField(allow_null=True)
    timezone = serializers.CharField(max_length=64, help_text="A name of the IANA database, such as `Europe/Berlin`.")

    def validate_date_of_birth(self, value: date | None) -> date | None:
        # Nobody is older than 150 years; tomorrow's date is today's somewhere in the world.
        today = timezone.now().date()
        if value is not None and not today - timedelta(days=150 * 366) < value <= today + timedelta(days=1):
            raise serializers.ValidationError("A date of birth lies in the last 150 years.")
        return value

    def validate_timezone(self, value: str) -> str:
        if value not in known_timezones():
            raise serializers.ValidationError("This is not the name of a time zone.")
        return value


class ProfileSerializer(NamesSerializer):
    username = serializers.CharField(source="user.username", read_only=True)
    email = serializers.EmailField(source="user.email", read_only=True)
    usercode = serializers.CharField(source="user.usercode", read_only=True)
    image = serializers.SerializerMethodField(help_text="A link of five minutes, or null.")

    @extend_schema_field({"type": ["string", "null"], "format": "uri"})
    def get_image(self, profile: UserProfile) -> str | None:
        return storage.signed_url(profile.image.name) if profile.image.name else None


class ProfileChangesSerializer(NamesSerializer):
    """What may be sent of it; a picture travels as multipart."""

    image = serializers.FileField(
        allow_null=True, write_only=True, help_text="JPEG, PNG or WebP, up to 5 MB and 24 megapixels; null removes it."
    )

    def validate_image(self, value: Any) -> Any:
        if value is not None and value.size > MAX_BYTES:
            raise PayloadTooLarge("A picture has at most 5 MB.")
        return value
