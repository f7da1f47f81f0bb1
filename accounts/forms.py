"""The forms of this site's own pages. What the API checks is checked by its serializers and services, here too."""

from typing import Any

from django import forms
from django.core.exceptions import NON_FIELD_ERRORS
from rest_framework.exceptions import APIException

from .backends import MAX_PASSWORD_LENGTH
from .images import MAX_BYTES
from .serializers import RegisterSerializer, known_timezones


def password_field(label: str, autocomplete: str, **options: Any) -> forms.CharField:
    widget = forms.PasswordInput(attrs={"autocomplete": autocomplete})
    return forms.CharField(label=label, max_length=MAX_PASSWORD_LENGTH, strip=False, widget=widget, **options)


def new_password_field(label: str = "Password") -> forms.CharField:
    hint = "At least eight characters, not only digits, and none of the common ones."
    return password_field(label, "new-password", help_text=hint)


def address_field(label: str = "E-mail address", autocomplete: str = "email") -> forms.EmailField:
    return forms.EmailField(label=label, max_length=254, widget=forms.EmailInput(attrs={"autocomplete": autocomplete}))


class LoginForm(forms.Form):
    login = forms.CharField(
        label="E-mail address or username",
        max_length=254,
        widget=forms.TextInput(attrs={"autocomplete": "username", "autocapitalize": "none", "spellcheck": "false"}),
    )
    password = password_field("Password", "current-password")


class RegisterForm(forms.Form):
    email = address_field()
    username = forms.CharField(
        max_length=30,
        widget=forms.TextInput(attrs={"autocomplete": "username", "autocapitalize": "none", "spellcheck": "false"}),
        help_text="3 to 30 letters or digits; others see it.",
    )
    password = new_password_field()

    def clean(self) -> dict[str, Any]:
        """Have what the API says of the other fields stand beside what is wrong here."""
        checked = RegisterSerializer(data=self.data)
        checked.is_valid()
        for name, errors in checked.errors.items():
            if name not in self.errors:
                self.add_error(name, [str(error) for error in errors])
        return self.cleaned_data


class EmailForm(forms.Form):
    email = address_field()


class NewPasswordForm(forms.Form):
    password = new_password_field("New password")


class ProfileForm(forms.Form):
    first_name = forms.CharField(required=False, max_length=150, widget=forms.TextInput({"autocomplete": "given-name"}))
    last_name = forms.CharField(required=False, max_length=150, widget=forms.TextInput({"autocomplete": "family-name"}))
    date_of_birth = forms.DateField(
        required=False, widget=forms.DateInput({"type": "date", "autocomplete": "bday"}, format="%Y-%m-%d")
    )
    timezone = forms.ChoiceField(
        label="Time zone", choices=lambda: [(name, name) for name in sorted(known_timezones())]
    )


class PictureForm(forms.Form):
    image = forms.FileField(
        label="New picture",
        help_text="JPEG, PNG or WebP, up to 5 MB.",
        widget=forms.FileInput({"accept": "image/jpeg,image/png,image/webp"}),
    )

    def clean_image(self) -> Any:
        image = self.cleaned_data["image"]
        if image.size > MAX_BYTES:
            raise forms.ValidationError("A picture has at most 5 MB.", "too_large")
        return image


class ChangePasswordForm(forms.Form):
    current_password = password_field("Current password", "current-password")
    new_password = new_password_field("New password")


class ChangeEmailForm(forms.Form):
    email = address_field("New e-mail address")
    password = password_field("Your password", "current-password")


class DeleteForm(forms.Form):
    password = password_field("Your password", "current-password")


def add_errors(form: forms.Form, error: APIException) -> None:
    """Show an error of the API beside the fields it names."""
    found = error.detail if isinstance(error.detail, dict) else {NON_FIELD_ERRORS: error.detail}
    for name, details in found.items():
        for detail in details if isinstance(details, list) else [details]:
            form.add_error(name if name in form.fields else None, str(detail))
