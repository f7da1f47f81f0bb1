"""``/account/``: a person's own page, a form a section. Each does what the API does, by the same services."""

import math
from typing import Any
from uuid import UUID

from django import forms
from django.contrib import messages
from django.contrib.auth import logout
from django.contrib.auth.mixins import LoginRequiredMixin
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect
from django.utils.decorators import method_decorator
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.generic import TemplateView
from rest_framework.exceptions import APIException

from config.throttling import SettingsThrottle, UploadThrottle

from . import serializers
from .authentication import session_of_cookie, stay_signed_in
from .devices import Device
from .forms import ChangeEmailForm, ChangePasswordForm, DeleteForm, PictureForm, ProfileForm, add_errors
from .models import GONE, User, UserSession
from .services import deletion, emails, passwords, profiles, sessions
from .throttles import ConfirmationThrottle, MailThrottle


@method_decorator([never_cache, sensitive_post_parameters()], name="dispatch")
class AccountPage(LoginRequiredMixin, TemplateView):
    template_name = "accounts/account.html"

    @property
    def user(self) -> User:
        user = self.request.user
        if not isinstance(user, User):
            raise TypeError("The page of somebody signed in was reached by nobody.")
        return user

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        try:
            return super().dispatch(request, *args, **kwargs)
        except GONE:
            return redirect("login-page")

    def get_context_data(self, **shown: Any) -> dict[str, Any]:
        profile = profiles.profile_of(self.user)
        fields = ("date_of_birth", "timezone")
        initial = {name: getattr(profile, name) for name in fields} | {
            name: getattr(self.user, name) for name in ("first_name", "last_name")
        }
        context = {
            "profile": profile,
            "sessions": [
                (session, Device(session.ip, session.user_agent).program)
                for session in UserSession.objects.live().filter(user=self.user)[:50]
            ],
            "current": session_of_cookie(self.request),
            "profile_form": ProfileForm(initial=initial, prefix=None),
            "picture_form": PictureForm(),
            "password_form": ChangePasswordForm(auto_id="password_%s"),
            "email_form": ChangeEmailForm(auto_id="email_%s"),
            "delete_form": DeleteForm(auto_id="delete_%s"),
        }
        return super().get_context_data(**{**context, **shown})


class Section(AccountPage):
    """One form of the page, sent. What is wrong is shown beside its field; else the page says that it is done."""

    form: type[forms.Form]
    name: str
    done: str
    throttle: type[SettingsThrottle] | None = None

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        return redirect("account-page")

    def post(self, request: HttpRequest) -> HttpResponse:
        form = self.form(request.POST, request.FILES, auto_id=f"{self.name}_%s")
        throttle = self.refused_by(request)
        if throttle:
            form.add_error(None, f"Too many attempts. Please try again in {math.ceil(throttle.wait())} seconds.")
            response = self.refuse(form, 429)
            response["Retry-After"] = str(math.ceil(throttle.wait()))
            return response
        if not form.is_valid():
            return self.refuse(form, 400)
        try:
            self.act(form.cleaned_data)
        except APIException as error:
            add_errors(form, error)
            return self.refuse(form, error.status_code)
        messages.success(request, self.done)
        return redirect("account-page")

    def refused_by(self, request: HttpRequest) -> SettingsThrottle | None:
        """The throttle that lets the request through no more, if there is one."""
        throttle = self.throttle() if self.throttle else None
        return throttle if throttle and not throttle.allow_request(request, self) else None

    def refuse(self, form: forms.Form, status: int) -> HttpResponse:
        return self.render_to_response(self.get_context_data(**{f"{self.name}_form": form}), status=status)

    def act(self, data: dict[str, Any]) -> None:
        raise NotImplementedError


class ProfileSection(Section):
    form, name, done = ProfileForm, "profile", "Your profile is saved."

    def act(self, data: dict[str, Any]) -> None:
        checked = serializers.NamesSerializer(data=data)
        checked.is_valid(raise_exception=True)
        fields = dict(checked.validated_data)
        profiles.update_profile(user=self.user, names=fields.pop("user", {}), **fields)


class PictureSection(Section):
    form, name, done = PictureForm, "picture", "Your picture is saved."
    throttle = UploadThrottle

    def act(self, data: dict[str, Any]) -> None:
        profiles.update_profile(user=self.user, picture=data["image"])


class RemovePictureSection(Section):
    form, name, done = forms.Form, "remove", "Your picture is removed."

    def act(self, data: dict[str, Any]) -> None:
        profiles.remove_picture(user=self.user)


class PasswordSection(Section):
    form, name, done = ChangePasswordForm, "password", "Your password is changed. Every other device is signed out."
    throttle = ConfirmationThrottle

    def act(self, data: dict[str, Any]) -> None:
        session = session_of_cookie(self.request)
        user = passwords.change_password(
            user=self.user,
            current=data["current_password"],
            new=data["new_password"],
            keep=session,
            device=Device.of(self.request),
        )
        stay_signed_in(self.request, user, session)


class EmailSection(Section):
    form, name = ChangeEmailForm, "email"
    done = "We have sent a mail to the new address. The change takes effect when you follow its link."
    throttle = ConfirmationThrottle

    def refused_by(self, request: HttpRequest) -> SettingsThrottle | None:
        mail = MailThrottle()
        return super().refused_by(request) or (None if mail.allow(request, request.POST.get("email")) else mail)

    def act(self, data: dict[str, Any]) -> None:
        checked = serializers.EmailSerializer(data=data)
        checked.is_valid(raise_exception=True)
        emails.request_change(
            user=self.user,
            email=checked.validated_data["email"],
            password=data["password"],
            device=Device.of(self.request),
        )


class EndSessionSection(Section):
    form, name, done = forms.Form, "session", "The device is signed out."

    def post(self, request: HttpRequest, id: UUID | None = None) -> HttpResponse:
        mine = UserSession.objects.filter(user=self.user)
        current = session_of_cookie(request)
        sessions.end_sessions(mine.filter(pk=id) if id else mine)
        if id is None or (current and current.pk == id):
            logout(request)
            messages.success(request, "You are signed out." if id else "You are signed out on every device.")
            return redirect("login-page")
        messages.success(request, self.done)
        return redirect("account-page")


class DeleteSection(Section):
    form, name, done = DeleteForm, "delete", "Your account is deleted."
    throttle = ConfirmationThrottle

    def post(self, request: HttpRequest) -> HttpResponse:
        response = super().post(request)
        return redirect("landing") if response.status_code == 302 else response

    def act(self, data: dict[str, Any]) -> None:
        deletion.delete_account(user=self.user, password=data["password"], device=Device.of(self.request))
        logout(self.request)
