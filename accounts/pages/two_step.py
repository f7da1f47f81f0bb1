"""``/account/two-step/``: the user's second factors. The forms call the services of the API."""

from typing import Any
from uuid import UUID

from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, resolve_url
from django.utils.http import urlencode

from .. import serializers
from ..devices import Device
from ..factors import policy, webauthn
from ..services.factors import setup
from ..throttles import ConfirmationThrottle
from ..views.factors import factors_of
from .account import AccountFormView, AccountPage
from .second_step import CredentialField, code_field


class AppCodeForm(forms.Form):
    code = code_field(help_text="The six digits that the app shows now.")


class NameForm(forms.Form):
    name = forms.CharField(label="Name", max_length=100)


class PasskeyForm(forms.Form):
    name = forms.CharField(label="Name of the new passkey", max_length=100)
    ticket = forms.CharField(max_length=100, widget=forms.HiddenInput)
    credential = CredentialField()


class TwoStepPage(AccountPage):
    """Shows the factors, and the forms to change them after a recent sign-in."""

    template_name = "accounts/two_step.html"

    def get_context_data(self, **context: Any) -> dict[str, Any]:
        device = Device.of(self.request)
        if policy.must_set_up(self.user):
            context["has_events"] = False  # the API refuses the stream of the page's header
        return {
            "view": self,
            "factors": factors_of(self.user),
            "is_recent": self.is_recent(),
            "passkeys_possible": webauthn.relying_party() is not None,
            "passkey_form": PasskeyForm(
                auto_id="passkey_%s", initial={"name": device.program[:1].upper() + device.program[1:]}
            ),
            **context,
        }


class TwoStepFormView(TwoStepPage, AccountFormView):
    """A form about factors. Without a recent sign-in it asks for one."""

    form: type[forms.Form] = forms.Form
    throttle = ConfirmationThrottle
    page = "two-step-page"

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        return redirect(self.page)

    def post(self, request: HttpRequest, **kwargs: Any) -> HttpResponse:
        if request.user.is_authenticated and not self.is_recent():
            return redirect(f"{resolve_url('reauthenticate-page')}?{urlencode({'next': resolve_url(self.page)})}")
        self.response: HttpResponse | None = None
        self.id: UUID | None = kwargs.get("id")
        response = super().post(request)
        if response.status_code == 302:
            return self.response or redirect(self.page)
        return response

    def render_errors(self, form: forms.Form, status: int) -> HttpResponse:
        """Show errors of forms without visible fields as messages."""
        if self.name == "app":
            return super().render_errors(form, status)
        for errors in form.errors.values():
            messages.error(self.request, " ".join(str(error) for error in errors))
        return redirect(self.page)

    def show_codes(self, codes: list[str], title: str) -> None:
        """Answer with the page that shows recovery codes, this once."""
        context = {"codes": codes, "title": title}
        self.template_name = "accounts/recovery_codes.html"
        self.response = self.render_to_response(self.get_context_data(**context))


class StartAppView(TwoStepFormView):
    name, success_message = "start", ""
    page = "two-step-app"

    def perform(self, data: dict[str, Any]) -> None:
        setup.start_app(user=self.user)


class AppPage(TwoStepFormView):
    """Shows the QR code of a new app and confirms its first code."""

    template_name = "accounts/two_step_app.html"
    form, name, success_message = AppCodeForm, "app", ""

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        if not self.is_recent() or setup.pending_app(user=self.user) is None:
            return redirect("two-step-page")
        return self.render_to_response(self.get_context_data())

    def get_context_data(self, **context: Any) -> dict[str, Any]:
        pending = setup.pending_app(user=self.user)
        return super().get_context_data(**{"enrolment": pending, "app_form": AppCodeForm(auto_id="app_%s"), **context})

    def perform(self, data: dict[str, Any]) -> None:
        codes = setup.confirm_app(user=self.user, code=data["code"], device=Device.of(self.request))
        if codes:
            self.show_codes(codes, "Your authenticator app is set up")
        else:
            self.success_message = "Your authenticator app is set up."


class RemoveAppView(TwoStepFormView):
    name, success_message = "remove", "The authenticator app was removed."

    def perform(self, data: dict[str, Any]) -> None:
        setup.remove_app(user=self.user, device=Device.of(self.request))


class AddPasskeyView(TwoStepFormView):
    form, name, success_message = PasskeyForm, "passkey", "The passkey was added."

    def perform(self, data: dict[str, Any]) -> None:
        name = serializers.PasskeyNameField().run_validation(data["name"])
        new = setup.add_passkey(
            user=self.user, ticket=data["ticket"], name=name, credential=data["credential"],
            device=Device.of(self.request),
        )  # fmt: skip
        if new.recovery_codes:
            self.show_codes(new.recovery_codes, "The passkey was added")


class RenamePasskeyView(TwoStepFormView):
    form, name, success_message = NameForm, "rename", "The passkey was renamed."

    def perform(self, data: dict[str, Any]) -> None:
        name = serializers.PasskeyNameField().run_validation(data["name"])
        setup.rename_passkey(user=self.user, id=self.id, name=name, device=Device.of(self.request))


class RemovePasskeyView(TwoStepFormView):
    name, success_message = "remove", "The passkey was deleted."

    def perform(self, data: dict[str, Any]) -> None:
        setup.remove_passkey(user=self.user, id=self.id, device=Device.of(self.request))


class RecoveryCodesView(TwoStepFormView):
    name, success_message = "codes", ""

    def perform(self, data: dict[str, Any]) -> None:
        codes = setup.new_recovery_codes(user=self.user, device=Device.of(self.request))
        self.show_codes(codes, "New recovery codes")
