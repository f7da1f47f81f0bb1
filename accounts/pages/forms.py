"""The forms of the accounts pages. The serializers and services of the API validate their content."""

import math
from collections.abc import Callable
from typing import Any

from django import forms
from django.core.exceptions import NON_FIELD_ERRORS
from django.forms.utils import flatatt
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from rest_framework.exceptions import APIException, ValidationError

from config.api.scopes import SCOPES, STAFF_SCOPES
from config.webhooks.models import MAX_DESCRIPTION, MAX_URL, Kind

from ..backends import MAX_PASSWORD_LENGTH
from ..images import MAX_BYTES
from ..models import User
from ..serializers import ProfileFieldsSerializer, RegisterSerializer
from ..services import passwords, registration
from ..services.profiles import known_timezones


def password_field(label: str, autocomplete: str, **options: Any) -> forms.CharField:
    """Build a password field; ``autocomplete`` tells password managers which password is meant."""
    widget = forms.PasswordInput(attrs={"autocomplete": autocomplete})
    return forms.CharField(label=label, max_length=MAX_PASSWORD_LENGTH, strip=False, widget=widget, **options)


def new_password_field(label: str = "Password") -> forms.CharField:
    """Build a field for a new password, with the rules as help text."""
    rules = "At least 8 characters besides your username and the name of the site. Not only digits, not a common one."
    return password_field(label, "new-password", help_text=rules)


def email_field(label: str = "E-mail address") -> forms.EmailField:
    """Build a field for an e-mail address."""
    return forms.EmailField(label=label, max_length=254, widget=forms.EmailInput(attrs={"autocomplete": "email"}))


class LoginForm(forms.Form):
    login = forms.CharField(
        label="E-mail address or username",
        max_length=254,
        widget=forms.TextInput(attrs={"autocomplete": "username", "autocapitalize": "none", "spellcheck": "false"}),
    )
    password = password_field("Password", "current-password")


def username_field() -> forms.CharField:
    """Build a field for a new username."""
    return forms.CharField(
        max_length=30,
        widget=forms.TextInput(attrs={"autocomplete": "username", "autocapitalize": "none", "spellcheck": "false"}),
        help_text="3 to 30 letters or digits. Other people see it.",
    )


class NewAccountForm(forms.Form):
    """Reports all errors at once: those of the API, and those that its service would find afterwards."""

    username = username_field()
    password = new_password_field()

    def given_email(self) -> str:
        """Return the address of the new account, which may be invalid."""
        return self.data.get("email", "")

    def clean(self) -> dict[str, Any]:
        given = {name: self.data.get(name) for name in ("username", "password")}
        checked = RegisterSerializer(data=given | {"email": self.given_email()})
        checked.is_valid()
        for name, errors in checked.errors.items():
            if name not in self.errors:
                self.add_error(name if name in self.fields else None, [str(error) for error in errors])
        if self.errors:  # else the service checks
            valid = self.cleaned_data
            user = User(email=valid.get("email", ""), username=valid.get("username", ""))
            add_errors_of(self, lambda: registration.check_new_account(user=user, password=valid.get("password", "")))
        return self.cleaned_data


class RegisterForm(NewAccountForm):
    email = email_field()
    field_order = ("email", "username", "password")


class InvitationForm(NewAccountForm):
    """Creates the account of an invitation to ``email``."""

    def __init__(self, *args: Any, email: str = "", **options: Any) -> None:
        super().__init__(*args, **options)
        self.email = email

    def given_email(self) -> str:
        return self.email


class EmailForm(forms.Form):
    email = email_field()


class NewPasswordForm(forms.Form):
    password = new_password_field("New password")


class LongSelect(forms.Select):
    """A select with hundreds of options. Django renders a template for each: 220 ms for the time zones, here 6 ms."""

    def render(self, name: str, value: Any, attrs: Any = None, renderer: Any = None) -> SafeString:
        attributes = flatatt(self.build_attrs(self.attrs, {**(attrs or {}), "name": name}))
        chosen = {value: SafeString(" selected")}
        rows = ((option, chosen.get(option, ""), label) for option, label in self.choices)
        options = format_html_join("", '<option value="{}"{}>{}</option>', rows)
        return format_html("<select{}>{}</select>", attributes, options)


class ProfileForm(forms.Form):
    first_name = forms.CharField(required=False, max_length=150, widget=forms.TextInput({"autocomplete": "given-name"}))
    last_name = forms.CharField(required=False, max_length=150, widget=forms.TextInput({"autocomplete": "family-name"}))
    date_of_birth = forms.DateField(
        required=False, widget=forms.DateInput({"type": "date", "autocomplete": "bday"}, format="%Y-%m-%d")
    )
    timezone = forms.ChoiceField(
        label="Time zone", choices=lambda: [(name, name) for name in sorted(known_timezones())], widget=LongSelect
    )

    def clean(self) -> dict[str, Any]:
        """Add the errors that the API reports for the fields that are valid so far."""
        checked = ProfileFieldsSerializer(data=self.cleaned_data, partial=True)
        checked.is_valid()
        for name, errors in checked.errors.items():
            self.add_error(name, [str(error) for error in errors])
        return self.cleaned_data


class PictureForm(forms.Form):
    image = forms.FileField(
        label="New picture",
        help_text="JPEG, PNG or WebP, up to 5 MB.",
        widget=forms.FileInput({"accept": "image/jpeg,image/png,image/webp"}),
    )

    def clean_image(self) -> Any:
        image = self.cleaned_data["image"]
        if image.size > MAX_BYTES:
            raise forms.ValidationError("The picture is larger than 5 MB.", "too_large")
        return image


class ChangePasswordForm(forms.Form):
    current_password = password_field("Current password", "current-password")
    new_password = new_password_field("New password")

    def __init__(self, *args: Any, user: User, **options: Any) -> None:
        super().__init__(*args, **options)
        self.user = user

    def clean(self) -> dict[str, Any]:
        """Check the new password also if the current one is missing."""
        new = self.cleaned_data.get("new_password")
        if self.errors and new:
            add_errors_of(self, lambda: passwords.check_strength(password=new, user=self.user, field="new_password"))
        return self.cleaned_data


class ConfirmationForm(forms.Form):
    """Asks for the password of ``user``, if there is one."""

    password = password_field("Your password", "current-password")

    def __init__(self, *args: Any, user: User | None = None, **options: Any) -> None:
        super().__init__(*args, **options)
        self.user = user
        if user is not None and not user.has_usable_password():
            del self.fields["password"]


class ChangeEmailForm(ConfirmationForm):
    email = email_field("New e-mail address")
    field_order = ("email", "password")

    def clean(self) -> dict[str, Any]:
        """Check the password also if the address is invalid."""
        user, password = self.user, self.cleaned_data.get("password")
        if self.errors and user and password:
            add_errors_of(self, lambda: passwords.confirm_password(user=user, password=password, field="password"))
        return self.cleaned_data


class DeleteForm(ConfirmationForm):
    pass


class WebhookForm(forms.Form):
    url = forms.CharField(
        label="URL",
        max_length=MAX_URL,
        widget=forms.URLInput({"placeholder": "https://", "autocomplete": "off"}),
        help_text="Your server. It gets a signed POST for each change.",
    )
    kinds = forms.MultipleChoiceField(label="Notify of", choices=Kind.choices, widget=forms.CheckboxSelectMultiple)
    description = forms.CharField(max_length=MAX_DESCRIPTION, required=False)


class TokenForm(forms.Form):
    """Creates a personal access token of ``user``."""

    name = forms.CharField(max_length=100, help_text="What the token is for.")
    scopes = forms.MultipleChoiceField(
        widget=forms.CheckboxSelectMultiple, help_text="What the token may do. Writing includes reading."
    )
    valid_days = forms.ChoiceField(
        label="Expires",
        choices=[("7", "in 7 days"), ("30", "in 30 days"), ("90", "in 90 days"), ("365", "in a year"), ("0", "never")],
        initial="90",
    )

    def __init__(self, *args: Any, user: User, **options: Any) -> None:
        super().__init__(*args, **options)
        scopes: Any = self.fields["scopes"]
        # Without staff rights the scope would have no effect.
        scopes.choices = [pair for pair in SCOPES.items() if user.is_staff or pair[0] not in STAFF_SCOPES]


def add_errors_of(form: forms.Form, check: Callable[[], None]) -> None:
    """Show the errors that ``check`` raises at the fields that have none yet."""
    try:
        check()
    except ValidationError as error:
        if not isinstance(error.detail, dict):
            raise
        new = {name: details for name, details in error.detail.items() if name not in form.errors}
        add_errors(form, ValidationError(new))


def add_errors(form: forms.Form, error: APIException) -> None:
    """Show an API error at the form fields that it names."""
    details_by_field = error.detail if isinstance(error.detail, dict) else {NON_FIELD_ERRORS: error.detail}
    for name, details in details_by_field.items():
        for detail in details if isinstance(details, list) else [details]:
            form.add_error(name if name in form.fields else None, str(detail))


def add_throttled_error(form: forms.Form, wait: float) -> str:
    """Show that the rate limit is reached for ``wait`` seconds; returns the value for ``Retry-After``."""
    seconds = math.ceil(wait)
    form.add_error(None, f"Too many attempts. Try again in {seconds} second{'s' if seconds != 1 else ''}.")
    return str(seconds)
