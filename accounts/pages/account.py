"""``/account/``: the user's own page, with one form for each topic. The forms call the services of the API."""

from typing import Any
from uuid import UUID

from django import forms
from django.contrib import messages
from django.contrib.auth import logout
from django.contrib.auth.mixins import LoginRequiredMixin
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect
from django.utils import timezone
from django.utils.decorators import method_decorator
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.generic import TemplateView
from rest_framework.exceptions import APIException

from config.api.throttles import SettingsThrottle, UploadThrottle
from config.audit.models import AuditRecord
from config.webhooks.models import Webhook

from .. import serializers
from ..activity import describe
from ..authentication import keep_cookie_session, session_from_cookie
from ..devices import Device
from ..models import ACCOUNT_DELETED, PersonalToken, User, UserSession
from ..services import deletion, emails, passwords, profiles, sessions
from ..services.recent_sign_in import ReauthenticationRequired, require_recent_sign_in
from ..throttles import ConfirmationThrottle, MailThrottle
from ..views.factors import factors_of
from .forms import (
    ChangeEmailForm,
    ChangePasswordForm,
    ConfirmationForm,
    DeleteForm,
    PictureForm,
    ProfileForm,
    TokenForm,
    WebhookForm,
    add_errors,
    add_throttled_error,
)

SHOWN_EVENTS = 5  # the others are on a page of their own


@method_decorator([never_cache, sensitive_post_parameters()], name="dispatch")
class AccountPage(LoginRequiredMixin, TemplateView):
    """The account page with all its forms."""

    template_name = "accounts/account.html"

    @property
    def user(self) -> User:
        user = self.request.user
        if not isinstance(user, User):
            raise TypeError("The page was reached without a sign-in.")
        return user

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        try:
            return super().dispatch(request, *args, **kwargs)
        except ACCOUNT_DELETED:
            return redirect("login-page")

    def is_recent(self) -> bool:
        """Return whether the sign-in is recent enough to create lasting access."""
        try:
            require_recent_sign_in(session=session_from_cookie(self.request))
        except ReauthenticationRequired:
            return False
        return True

    def get_context_data(self, **bound_forms: Any) -> dict[str, Any]:
        profile = profiles.profile_of(self.user)
        initial = {name: getattr(profile, name) for name in ("date_of_birth", "timezone")} | {
            name: getattr(self.user, name) for name in ("first_name", "last_name")
        }
        context = {
            "profile": profile,
            "sessions": [
                (session, Device(session.ip, session.user_agent).program)
                for session in UserSession.objects.live().filter(user=self.user)[:50]
            ],
            "current": session_from_cookie(self.request),
            "oidc_identity": self.user.oidc_identities.first(),
            "factors": factors_of(self.user),
            "profile_form": ProfileForm(initial=initial),
            "picture_form": PictureForm(),
            "password_form": ChangePasswordForm(auto_id="password_%s", user=self.user),
            "email_form": ChangeEmailForm(auto_id="email_%s", user=self.user),
            "tokens": PersonalToken.objects.filter(user=self.user),
            "token_form": TokenForm(auto_id="token_%s", user=self.user),
            "is_recent": self.is_recent(),
            "now": timezone.now(),
            "events": [describe(record) for record in AuditRecord.objects.about(self.user)[:SHOWN_EVENTS]],
            "webhooks": Webhook.objects.visible_to(self.user),
            "webhook_form": WebhookForm(auto_id="webhook_%s"),
            "delete_form": DeleteForm(auto_id="delete_%s", user=self.user),
        }
        return super().get_context_data(**{**context, **bound_forms})


class AccountFormView(AccountPage):
    """Handles one form of the account page: shows the page again with the errors, or with ``success_message``."""

    form: type[forms.Form]
    name: str
    success_message: str
    throttle: type[SettingsThrottle] | None = None

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        return redirect("account-page")

    def post(self, request: HttpRequest) -> HttpResponse:
        form = self.bound_form(request)
        throttle = self.exceeded_throttle(request)
        if throttle:
            retry_after = add_throttled_error(form, throttle.wait())
            response = self.render_errors(form, 429)
            response["Retry-After"] = retry_after
            return response
        if not form.is_valid():
            return self.render_errors(form, 400)
        try:
            self.perform(form.cleaned_data)
        except APIException as error:
            add_errors(form, error)
            return self.render_errors(form, error.status_code)
        messages.success(request, self.success_message)
        return redirect("account-page")

    def bound_form(self, request: HttpRequest) -> forms.Form:
        options = {"user": self.user} if issubclass(self.form, (ConfirmationForm, ChangePasswordForm)) else {}
        return self.form(request.POST, request.FILES, auto_id=f"{self.name}_%s", **options)

    def exceeded_throttle(self, request: HttpRequest) -> SettingsThrottle | None:
        """Count the request; returns the throttle whose limit is exceeded, or None."""
        throttle = self.throttle() if self.throttle else None
        return throttle if throttle and not throttle.allow_request(request, self) else None

    def render_errors(self, form: forms.Form, status: int) -> HttpResponse:
        """Show the page with the errors of this form."""
        return self.render_to_response(self.get_context_data(**{f"{self.name}_form": form}), status=status)

    def perform(self, data: dict[str, Any]) -> None:
        """Do what the form is for. The form shows an API error that this raises."""
        raise NotImplementedError


class ProfileFormView(AccountFormView):
    form, name, success_message = ProfileForm, "profile", "Profile saved."

    def perform(self, data: dict[str, Any]) -> None:
        checked = serializers.ProfileFieldsSerializer(data=data)
        checked.is_valid(raise_exception=True)
        fields = dict(checked.validated_data)
        profiles.update_profile(user=self.user, names=fields.pop("user", {}), **fields)


class PictureFormView(AccountFormView):
    form, name, success_message = PictureForm, "picture", "Picture saved."
    throttle = UploadThrottle

    def perform(self, data: dict[str, Any]) -> None:
        profiles.update_profile(user=self.user, picture=data["image"])


class RemovePictureFormView(AccountFormView):
    form, name, success_message = forms.Form, "remove", "Picture removed."

    def perform(self, data: dict[str, Any]) -> None:
        profiles.remove_picture(user=self.user)


class PasswordFormView(AccountFormView):
    form, name = ChangePasswordForm, "password"
    success_message = "Password changed. All other devices are signed out."
    throttle = ConfirmationThrottle

    def perform(self, data: dict[str, Any]) -> None:
        session = session_from_cookie(self.request)
        user = passwords.change_password(
            user=self.user,
            current=data["current_password"],
            new=data["new_password"],
            keep=session,
            device=Device.of(self.request),
        )
        keep_cookie_session(self.request, user, session)


class EmailFormView(AccountFormView):
    form, name = ChangeEmailForm, "email"
    success_message = "We sent an e-mail to the new address. Follow its link to change the address of your account."
    throttle = ConfirmationThrottle

    def exceeded_throttle(self, request: HttpRequest) -> SettingsThrottle | None:
        mail = MailThrottle()
        return super().exceeded_throttle(request) or (None if mail.allow(request, request.POST.get("email")) else mail)

    def perform(self, data: dict[str, Any]) -> None:
        checked = serializers.EmailSerializer(data=data)
        checked.is_valid(raise_exception=True)
        emails.request_change(
            user=self.user,
            email=checked.validated_data["email"],
            password=data.get("password"),
            session=session_from_cookie(self.request),
            device=Device.of(self.request),
        )


class EndSessionsFormView(AccountFormView):
    """Ends one session of the user, or all of them."""

    form, name, success_message = forms.Form, "session", "The device is signed out."

    def post(self, request: HttpRequest, id: UUID | None = None) -> HttpResponse:
        current = session_from_cookie(request)
        sessions.end_own_sessions(user=self.user, session_id=id)
        if id is None or (current and current.pk == id):
            logout(request)
            messages.success(request, "You are signed out." if id else "You are signed out on all devices.")
            return redirect("login-page")
        messages.success(request, self.success_message)
        return redirect("account-page")


class DeleteFormView(AccountFormView):
    form, name, success_message = DeleteForm, "delete", "Your account is deleted."
    throttle = ConfirmationThrottle

    def post(self, request: HttpRequest) -> HttpResponse:
        response = super().post(request)
        return redirect("landing") if response.status_code == 302 else response

    def perform(self, data: dict[str, Any]) -> None:
        deletion.delete_account(
            user=self.user, password=data.get("password"), session=session_from_cookie(self.request),
            device=Device.of(self.request),
        )  # fmt: skip
        logout(self.request)
