"""The pages of the second step, of the sign-in with a passkey, and of proving again who is signed in."""

import json
from typing import Any

from django import forms
from django.conf import settings
from django.contrib import messages
from django.contrib.auth.mixins import LoginRequiredMixin
from django.contrib.auth.views import RedirectURLMixin
from django.http import HttpRequest, HttpResponse, HttpResponseBase, HttpResponseRedirect
from django.shortcuts import redirect, resolve_url
from django.utils.http import urlencode
from rest_framework.exceptions import ValidationError

from .. import serializers
from ..authentication import session_from_cookie
from ..factors import policy
from ..services.factors import reauthentication, second_step, tickets
from ..throttles import ConfirmationThrottle, SecondStepThrottle
from . import cookie_session
from .forms import password_field
from .sign_in import LoginPage, PublicFormView

STALE = (tickets.InvalidTicket, tickets.ExpiredTicket)


class CredentialField(forms.CharField):
    """The answer of a passkey, as JSON in a hidden field that a script fills."""

    widget = forms.HiddenInput

    def clean(self, value: Any) -> dict[str, Any] | None:
        text = super().clean(value)
        if not text:
            return None
        try:
            return serializers.CredentialField().run_validation(json.loads(text))
        except (ValueError, RecursionError, ValidationError) as error:
            raise forms.ValidationError("The browser sent an invalid passkey.", "invalid") from error


def code_field(**options: Any) -> forms.CharField:
    """Build a field for a code of the app or a recovery code."""
    widget = forms.TextInput(attrs={"autocomplete": "one-time-code", "autocapitalize": "none", "spellcheck": "false"})
    return forms.CharField(label="Code", max_length=100, widget=widget, **options)


class SecondStepForm(forms.Form):
    code = code_field(error_messages={"required": "Enter a code."})
    credential = CredentialField(required=False)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["code"].required = not self.data.get("credential")


class SecondStepPage(PublicFormView):
    """Asks for the second factor after the password."""

    template_name = "accounts/second_step.html"
    form_class = SecondStepForm
    throttle = SecondStepThrottle
    account_field = ""

    pending: dict[str, Any]

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        self.pending = request.session.get(cookie_session.PENDING, {})
        if not self.pending:
            return redirect("login-page")
        return super().dispatch(request, *args, **kwargs)

    def perform(self, data: dict[str, Any]) -> HttpResponse:
        try:
            done = second_step.finish(
                ticket=self.pending["ticket"], code=data["code"], credential=data.get("credential")
            )
        except STALE:
            del self.request.session[cookie_session.PENDING]
            messages.error(self.request, "The sign-in took too long, or there were too many wrong codes. Start again.")
            return redirect(f"{resolve_url('login-page')}?{urlencode({'next': self.pending['next']})}")
        return cookie_session.start(
            self.request, user=done.user, signed_in_with=done.signed_in_with, next_url=self.pending["next"]
        )

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        return super().get_context_data(
            methods=self.pending["methods"], passkey_options=self.pending["passkey_options"], **kwargs
        )


class PasskeyForm(forms.Form):
    ticket = forms.CharField(max_length=100, widget=forms.HiddenInput)
    credential = CredentialField()


class PasskeySignInPage(LoginPage):
    """Receives the form of "Sign in with a passkey" of the sign-in page."""

    http_method_names = ["post"]
    form_class = PasskeyForm
    throttle = SecondStepThrottle
    account_field = ""

    def perform(self, data: dict[str, Any]) -> HttpResponse:
        done = second_step.finish_with_passkey(ticket=data["ticket"], credential=data["credential"])
        next_url = self.get_success_url()
        return cookie_session.start(self.request, user=done.user, signed_in_with=done.signed_in_with, next_url=next_url)

    def render_errors(self, form: forms.Form, status: int = 400) -> HttpResponse:
        """Go back to the sign-in page with the message."""
        texts = [text for errors in form.errors.values() for text in errors]
        messages.error(self.request, texts[0] if texts else "This passkey was not accepted.")
        return redirect(f"{resolve_url('login-page')}?{urlencode({'next': self.get_redirect_url()})}")


class PasswordAgainForm(forms.Form):
    password = password_field("Your password", "current-password")


class FactorAgainForm(SecondStepForm):
    ticket = forms.CharField(max_length=100, required=False, widget=forms.HiddenInput)


class ReauthenticationPage(LoginRequiredMixin, RedirectURLMixin, PublicFormView):
    """Asks for the password, or for a factor if there is one, before a change of the account."""

    template_name = "accounts/reauthenticate.html"
    next_page = "/account/two-step/"
    account_field = ""

    class Throttle(ConfirmationThrottle):
        def allow(self, request: Any, named: str | None) -> bool:
            return self.allow_request(request, None)

    throttle = Throttle

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        if request.user.is_authenticated:
            self.methods = policy.methods(request.user)
            if not self.methods and not request.user.has_usable_password() and settings.OIDC_ISSUER:
                query = urlencode({"reauth": 1, "next": self.get_success_url()})
                return redirect(f"{resolve_url('oidc-login')}?{query}")
        return super().dispatch(request, *args, **kwargs)

    def get_form_class(self) -> type[forms.Form]:
        return FactorAgainForm if self.methods else PasswordAgainForm

    def perform(self, data: dict[str, Any]) -> HttpResponse:
        given = {name: value for name, value in data.items() if value}
        if "credential" not in given:
            given.pop("ticket", None)
        reauthentication.reauthenticate(user=self.request.user, session=session_from_cookie(self.request), **given)
        return HttpResponseRedirect(self.get_success_url())

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        return super().get_context_data(
            methods=self.methods, **{self.redirect_field_name: self.get_redirect_url()}, **kwargs
        )
