"""Registering, signing in and out, and asking for links, by this site's own pages and Django's session."""

import math
from typing import Any

from django import forms
from django.contrib import messages
from django.contrib.auth import login, logout
from django.contrib.auth.views import RedirectURLMixin
from django.http import HttpRequest, HttpResponse, HttpResponseBase, HttpResponseRedirect
from django.shortcuts import redirect, resolve_url
from django.utils.decorators import method_decorator
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods
from django.views.generic import FormView
from rest_framework.exceptions import APIException, AuthenticationFailed

from config.throttling import AccountThrottle

from . import serializers
from .backends import BACKEND
from .devices import Device
from .forms import EmailForm, LoginForm, RegisterForm, add_errors
from .services import passwords, registration, sessions
from .throttles import LoginThrottle, MailThrottle, RegisterThrottle


@method_decorator([never_cache, sensitive_post_parameters()], name="dispatch")
class OpenPage(FormView):
    """A form for whoever comes by, counted like the API's own call."""

    throttle: type[AccountThrottle]
    named_by = "email"

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        form = self.get_form()
        throttle = self.throttle()
        if not throttle.allow(request, request.POST.get(self.named_by)):
            wait = math.ceil(throttle.wait())
            form.add_error(None, f"Too many attempts. Please try again in {wait} seconds.")
            response = self.refuse(form, 429)
            response["Retry-After"] = str(wait)
            return response
        if not form.is_valid():
            return self.refuse(form)
        try:
            return self.act(form.cleaned_data)
        except APIException as error:
            add_errors(form, error)
            return self.refuse(form, 400 if isinstance(error, AuthenticationFailed) else error.status_code)

    def refuse(self, form: forms.Form, status: int = 400) -> HttpResponse:
        return self.render_to_response(self.get_context_data(form=form), status=status)

    def act(self, data: dict[str, Any]) -> HttpResponse:
        """Do what the form asks for; an error of the API is shown beside its field."""
        raise NotImplementedError


class LoginPage(RedirectURLMixin, OpenPage):
    template_name = "accounts/login.html"
    form_class = LoginForm
    throttle = LoginThrottle
    named_by = "login"
    next_page = "/messager/"

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        if request.user.is_authenticated:
            return HttpResponseRedirect(self.get_success_url())
        return super().dispatch(request, *args, **kwargs)

    def act(self, data: dict[str, Any]) -> HttpResponse:
        user = sessions.check_credentials(request=self.request, login=data["login"], password=data["password"])
        login(self.request, user, backend=BACKEND)
        return HttpResponseRedirect(self.get_success_url())

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        return super().get_context_data(**{self.redirect_field_name: self.get_redirect_url()}, **kwargs)


class RegisterPage(OpenPage):
    template_name = "accounts/register.html"
    form_class = RegisterForm
    throttle = RegisterThrottle

    def act(self, data: dict[str, Any]) -> HttpResponse:
        checked = serializers.RegisterSerializer(data=data)
        checked.is_valid(raise_exception=True)
        registration.register(**checked.validated_data, device=Device.of(self.request))
        return self.render_to_response(self.get_context_data(sent_to=checked.validated_data["email"]))


class AskForLinkPage(OpenPage):
    """Has a link mailed; the answer is the same for every address."""

    form_class = EmailForm
    throttle = MailThrottle

    def act(self, data: dict[str, Any]) -> HttpResponse:
        checked = serializers.EmailSerializer(data=data)
        checked.is_valid(raise_exception=True)
        self.ask(checked.validated_data["email"])
        return self.render_to_response(self.get_context_data(sent_to=checked.validated_data["email"]))

    def ask(self, email: str) -> None:
        raise NotImplementedError


class ForgotPage(AskForLinkPage):
    template_name = "accounts/forgot.html"

    def ask(self, email: str) -> None:
        passwords.request_reset(email=email, device=Device.of(self.request))


class ResendPage(AskForLinkPage):
    template_name = "accounts/resend.html"

    def ask(self, email: str) -> None:
        registration.resend_verification(email=email, device=Device.of(self.request))


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def sign_out(request: HttpRequest) -> HttpResponse:
    """``POST /logout/``; opening the address by hand changes nothing and leads to the front page."""
    if request.method == "POST":
        logout(request)
        messages.success(request, "You are signed out.")
    return redirect(resolve_url("/"))
