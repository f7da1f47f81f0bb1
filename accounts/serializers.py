"""Requests and responses of the accounts API."""

from datetime import date, timedelta
from typing import Any

from django.core.validators import RegexValidator
from django.utils import timezone
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from config import storage
from config.api.choices import ChoiceField
from config.api.errors import PayloadTooLarge
from config.api.instants import InstantField
from config.api.scopes import SCOPES
from config.text import is_blank

from .addresses import normalize_address
from .backends import MAX_PASSWORD_LENGTH
from .images import MAX_BYTES
from .models import Invitation, Passkey, PersonalToken, User, UserProfile, UserSession
from .representation import activity
from .services.profiles import known_timezones


class StringField(serializers.CharField):
    """A text. Numbers are refused: as a text they could name another account than the one that is counted."""

    def to_internal_value(self, data: Any) -> str:
        if not isinstance(data, str):
            self.fail("invalid")
        return super().to_internal_value(data)


class PasswordField(StringField):
    """At most 128 characters; whitespace is kept."""

    def __init__(self, **options: Any) -> None:
        options.setdefault("max_length", MAX_PASSWORD_LENGTH)
        super().__init__(trim_whitespace=False, style={"input_type": "password"}, write_only=True, **options)


class AddressField(serializers.EmailField):
    """An e-mail address, converted to the form in which it is stored."""

    def __init__(self, **options: Any) -> None:
        super().__init__(max_length=254, **options)

    def to_internal_value(self, data: Any) -> str:
        if not isinstance(data, str):
            self.fail("invalid")
        try:
            return normalize_address(super().to_internal_value(data))
        except ValueError:
            self.fail("invalid")


class CodeField(StringField):
    """The code of a mailed link: the last part of its URL."""

    def __init__(self, **options: Any) -> None:
        options.setdefault("help_text", "The code at the end of the mailed link.")
        super().__init__(max_length=100, **options)


class RegisterSerializer(serializers.Serializer):
    email = AddressField()
    username = StringField(
        min_length=3,
        max_length=30,
        validators=[RegexValidator(r"^[A-Za-z0-9]+\Z", "Use only the letters A to Z and digits.", "invalid")],
    )
    password = PasswordField()
    invitation = CodeField(required=False, help_text="The code at the end of the link in an invitation.")


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
    email = StringField(required=False, max_length=254, help_text="Or `username`.")
    username = StringField(required=False, max_length=254, help_text="Or `email`.")
    password = PasswordField()

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        login = attrs.get("email") or attrs.get("username")
        if not login:
            raise serializers.ValidationError({"email": ["Enter an e-mail address or a username."]}, "required")
        return {"login": login, "password": attrs["password"]}


class UserSerializer(serializers.ModelSerializer):
    """The user who has signed in."""

    class Meta:
        model = User
        fields = ("username", "email", "usercode", "first_name", "last_name", "is_staff")
        read_only_fields = fields


class RefreshSerializer(serializers.Serializer):
    refresh = StringField(max_length=4096)


class TokenSerializer(serializers.Serializer):
    token = StringField(max_length=4096)


class TokensSerializer(serializers.Serializer):
    access = serializers.CharField(help_text="Valid for ten minutes. Send it as `Authorization: Bearer <access>`.")
    refresh = serializers.CharField(help_text="Send it once to `token/refresh/`.")


class SignedInSerializer(TokensSerializer):
    user = UserSerializer()


class SecondStepSerializer(serializers.Serializer):
    """The password was right, but the account has a second factor: answer with `login/mfa/`."""

    mfa_required = serializers.BooleanField()
    ticket = serializers.CharField(help_text="Send it to `login/mfa/`. It works once.")
    methods = serializers.ListField(child=serializers.ChoiceField(["totp", "passkey", "recovery_code"]))
    passkey_options = serializers.DictField(
        allow_null=True, help_text="For `navigator.credentials.get()`, or null without a passkey."
    )
    expires_in = serializers.IntegerField(help_text="Seconds until the ticket expires.")


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
    password = PasswordField(required=False, help_text="Required, unless your account has no password.")


class ConfirmationSerializer(serializers.Serializer):
    """The password, as confirmation of something that cannot be undone."""

    password = PasswordField(required=False, help_text="Required, unless your account has no password.")


class SessionSerializer(serializers.ModelSerializer):
    current = serializers.SerializerMethodField(help_text="Whether this request was sent in this session.")

    class Meta:
        model = UserSession
        fields = ("id", "created_at", "last_used_at", "ip", "user_agent", "current")
        read_only_fields = fields

    def get_current(self, session: UserSession) -> bool:
        return session.pk == self.context["current"]


class NewTokenSerializer(serializers.Serializer):
    name = StringField(max_length=100, help_text="What the token is for.")
    scopes = serializers.ListField(
        child=ChoiceField(list(SCOPES)),
        min_length=1,
        max_length=len(SCOPES),
        help_text="What the token may do. Writing includes reading.",
    )
    expires_at = InstantField(required=False, allow_null=True, help_text="Null or left out: the token does not expire.")


class PersonalTokenSerializer(serializers.ModelSerializer):
    scopes = serializers.ListField(child=serializers.ChoiceField(list(SCOPES)))

    class Meta:
        model = PersonalToken
        fields = ("id", "name", "scopes", "prefix", "created_at", "expires_at", "last_used_at", "last_used_ip")
        read_only_fields = fields


class CreatedTokenSerializer(PersonalTokenSerializer):
    token = serializers.CharField(help_text="Shown this once.")

    class Meta(PersonalTokenSerializer.Meta):
        fields = (*PersonalTokenSerializer.Meta.fields, "token")


class AccessSerializer(serializers.Serializer):
    access = serializers.CharField()
    expires_in = serializers.IntegerField(help_text="Seconds.")


class ActivitySerializer(serializers.Serializer):
    """A record of the audit log that concerns the user."""

    id = serializers.IntegerField()
    kind = serializers.CharField(help_text="Such as `login`, `login_failed` or `token_created`.")
    at = serializers.DateTimeField()
    ip = serializers.IPAddressField(allow_null=True)
    user_agent = serializers.CharField(allow_null=True)
    detail = serializers.DictField(help_text="What changed; its members depend on `kind`.")

    def to_representation(self, instance: Any) -> dict[str, Any]:
        return activity(instance)


class InviteSerializer(serializers.Serializer):
    email = AddressField()
    is_staff = serializers.BooleanField(default=False, help_text="Whether the new account is a staff account.")


class InvitationSerializer(serializers.ModelSerializer):
    invited_by = serializers.CharField(
        source="invited_by.username", allow_null=True, default=None, help_text="Null if the account was deleted."
    )

    class Meta:
        model = Invitation
        fields = ("id", "email", "is_staff", "invited_by", "created_at", "expires_at")
        read_only_fields = fields


class NameField(StringField):
    """A name of a person. One that displays nothing is stored as empty."""

    def to_internal_value(self, data: Any) -> str:
        value = super().to_internal_value(data)
        return "" if is_blank(value) else value


class ProfileFieldsSerializer(serializers.Serializer):
    """The fields of a profile that its user can change."""

    first_name = NameField(source="user.first_name", max_length=150, allow_blank=True)
    last_name = NameField(source="user.last_name", max_length=150, allow_blank=True)
    date_of_birth = serializers.DateField(allow_null=True)
    timezone = serializers.CharField(max_length=64, help_text="An IANA time zone name, such as `Europe/Berlin`.")

    def validate_date_of_birth(self, value: date | None) -> date | None:
        # Nobody is older than 150 years. Tomorrow is accepted: somewhere it is already today.
        today = timezone.now().date()
        if value is not None and not today - timedelta(days=150 * 366) < value <= today + timedelta(days=1):
            raise serializers.ValidationError("Enter a date within the last 150 years.")
        return value

    def validate_timezone(self, value: str) -> str:
        if value not in known_timezones():
            raise serializers.ValidationError("Enter the name of an IANA time zone.")
        return value


class ProfileSerializer(ProfileFieldsSerializer):
    username = serializers.CharField(source="user.username", read_only=True)
    email = serializers.EmailField(source="user.email", read_only=True)
    usercode = serializers.CharField(source="user.usercode", read_only=True)
    image = serializers.SerializerMethodField(help_text="A link that is valid for five minutes, or null.")

    @extend_schema_field({"type": ["string", "null"], "format": "uri"})
    def get_image(self, profile: UserProfile) -> str | None:
        return profile_image(profile)


def profile_data(profile: UserProfile) -> dict[str, Any]:
    """Return the profile as ``ProfileSerializer`` describes it, which would take 7 % of a request to make it."""
    user, born = profile.user, profile.date_of_birth
    return {
        "first_name": user.first_name,
        "last_name": user.last_name,
        "date_of_birth": born.isoformat() if born else None,
        "timezone": profile.timezone,
        "username": user.username,
        "email": user.email,
        "usercode": user.usercode,
        "image": profile_image(profile),
    }


def profile_image(profile: UserProfile) -> str | None:
    """Return a link to the picture, if there is one."""
    return storage.signed_url(profile.image.name) if profile.image.name else None


class PictureField(serializers.FileField):
    """An uploaded picture. Text and null are ignored, so that a profile can be sent back as it was read."""

    def run_validation(self, data: Any = serializers.empty) -> Any:
        if data is None or isinstance(data, str):
            raise serializers.SkipField
        return super().run_validation(data)


class ProfileChangesSerializer(ProfileFieldsSerializer):
    """The fields that a PATCH accepts. A picture is sent as multipart."""

    image = PictureField(
        allow_null=True,
        write_only=True,
        help_text="JPEG, PNG or WebP, up to 5 MB and 24 megapixels. Text and null are ignored: DELETE removes it.",
    )

    def validate_image(self, value: Any) -> Any:
        if value.size > MAX_BYTES:
            raise PayloadTooLarge("The picture is larger than 5 MB.")
        return value


class TicketField(StringField):
    def __init__(self, **options: Any) -> None:
        super().__init__(max_length=100, **options)


class SecondFactorCodeField(StringField):
    """Six digits of an authenticator app, or a recovery code."""

    def __init__(self, **options: Any) -> None:
        text = "Six digits are a code of the authenticator app; anything else is a recovery code."
        super().__init__(max_length=100, help_text=text, **options)


class CredentialField(serializers.DictField):
    """What the browser returned: `credential.toJSON()` of a PublicKeyCredential."""

    def __init__(self, **options: Any) -> None:
        text = "The browser's `PublicKeyCredential`, as its `toJSON()` returns it."
        super().__init__(help_text=text, **options)

    def run_validation(self, data: Any = serializers.empty) -> Any:
        value = super().run_validation(data)
        if isinstance(value, dict) and len(str(value)) > MAX_CREDENTIAL:
            raise serializers.ValidationError("This is too long for a passkey.", "max_length")
        return value


MAX_CREDENTIAL = 20_000  # characters; an answer has about 1,000


class SecondStepAnswerSerializer(serializers.Serializer):
    """One of `code` and `credential`."""

    ticket = TicketField()
    code = SecondFactorCodeField(required=False)
    credential = CredentialField(required=False)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if ("code" in attrs) == ("credential" in attrs):
            raise serializers.ValidationError({"code": ["Send either a code or a credential."]}, "required")
        return attrs


class PasskeyAnswerSerializer(serializers.Serializer):
    ticket = TicketField()
    credential = CredentialField()


class PasskeyChallengeSerializer(serializers.Serializer):
    ticket = serializers.CharField(help_text="Send it back with the credential, within five minutes. It works once.")
    options = serializers.DictField(help_text="The options of `navigator.credentials.get()` or `create()`, as JSON.")


class ReauthenticateSerializer(serializers.Serializer):
    """A password, a code, or a ticket with a credential. With a second factor, send a code or a credential."""

    password = PasswordField(required=False)
    code = SecondFactorCodeField(required=False)
    ticket = TicketField(required=False)
    credential = CredentialField(required=False)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if not attrs.keys() & {"password", "code", "credential"}:
            raise serializers.ValidationError({"password": ["Send a password, a code or a credential."]}, "required")
        if "credential" in attrs and "ticket" not in attrs:
            raise serializers.ValidationError({"ticket": ["Send the ticket of the options."]}, "required")
        return attrs


class PasskeyNameField(StringField):
    def __init__(self, **options: Any) -> None:
        super().__init__(max_length=100, **options)

    def to_internal_value(self, data: Any) -> str:
        value = super().to_internal_value(data)
        if is_blank(value):
            self.fail("blank")
        return value


class PasskeySerializer(serializers.ModelSerializer):
    class Meta:
        model = Passkey
        fields = ("id", "name", "created_at", "last_used_at")
        read_only_fields = fields


class NewPasskeySerializer(PasskeySerializer):
    recovery_codes = serializers.ListField(
        child=serializers.CharField(), required=False, help_text="Only if this is your first second factor."
    )

    class Meta(PasskeySerializer.Meta):
        fields = (*PasskeySerializer.Meta.fields, "recovery_codes")
        read_only_fields = PasskeySerializer.Meta.fields


class AddPasskeySerializer(PasskeyAnswerSerializer):
    name = PasskeyNameField()


class RenamePasskeySerializer(serializers.Serializer):
    name = PasskeyNameField()


class AppStateSerializer(serializers.Serializer):
    enabled = serializers.BooleanField()
    created_at = serializers.DateTimeField(allow_null=True)


class FactorsSerializer(serializers.Serializer):
    """Your second factors."""

    required = serializers.BooleanField(help_text="Whether this site requires a second factor of you.")
    totp = AppStateSerializer()
    passkeys = PasskeySerializer(many=True)
    recovery_codes_left = serializers.IntegerField()


class EnrolmentSerializer(serializers.Serializer):
    secret = serializers.CharField(help_text="Base 32, to type into an app.")
    uri = serializers.CharField(help_text="`otpauth://…`, the content of the QR code.")
    qr = serializers.CharField(help_text="The QR code as an SVG document.")


class AppCodeSerializer(serializers.Serializer):
    code = StringField(max_length=100, help_text="The six digits that the app shows.")


class RecoveryCodesSerializer(serializers.Serializer):
    recovery_codes = serializers.ListField(child=serializers.CharField())
