"""Pages without sign-in: register, sign in and out, and request links."""

import math
from typing import Any

from django import forms
from django.conf import settings
from django.contrib import admin, messages
from django.contrib.admin.forms import AdminAuthenticationForm
from django.contrib.auth import logout
from django.contrib.auth.views import LoginView, RedirectURLMixin
from django.http import HttpRequest, HttpResponse, HttpResponseBase, HttpResponseRedirect
from django.shortcuts import redirect, render, resolve_url
from django.utils.decorators import method_decorator
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods
from django.views.generic import FormView
from rest_framework.exceptions import APIException, AuthenticationFailed

from config.api.throttles import AccountThrottle

from .. import serializers
from ..devices import Device
from ..services import passwords, registration, sessions
from ..throttles import LoginThrottle, MailThrottle, RegisterThrottle
from . import cookie_session
from .forms import EmailForm, LoginForm, RegisterForm, add_errors, add_throttled_error


@method_decorator([never_cache, sensitive_post_parameters()], name="dispatch")
class PublicFormView(FormView):
    """A form that needs no sign-in. It shares its rate limit with the API call for the same purpose.

    ``account_field`` is the form field that names the account.
    """

    throttle: type[AccountThrottle]
    account_field = "email"

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        form = self.get_form()
        throttle = self.throttle()
        if not throttle.allow(request, request.POST.get(self.account_field)):
            retry_after = add_throttled_error(form, throttle.wait())
            response = self.render_errors(form, 429)
            response["Retry-After"] = retry_after
            return response
        if not form.is_valid():
            return self.render_errors(form)
        try:
            return self.perform(form.cleaned_data)
        except APIException as error:
            add_errors(form, error)
            return self.render_errors(form, 400 if isinstance(error, AuthenticationFailed) else error.status_code)

    def render_errors(self, form: forms.Form, status: int = 400) -> HttpResponse:
        """Show the form again with its errors."""
        return self.render_to_response(self.get_context_data(form=form), status=status)

    def perform(self, data: dict[str, Any]) -> HttpResponse:
        """Do what the form is for and return the response. The form shows an API error that this raises."""
        raise NotImplementedError


class LoginPage(RedirectURLMixin, PublicFormView):
    template_name = "accounts/login.html"
    form_class = LoginForm
    throttle = LoginThrottle
    account_field = "login"
    next_page = "/"

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        if request.user.is_authenticated:
            return HttpResponseRedirect(self.get_success_url())
        return super().dispatch(request, *args, **kwargs)

    def perform(self, data: dict[str, Any]) -> HttpResponse:
        user = sessions.check_credentials(request=self.request, login=data["login"], password=data["password"])
        return cookie_session.after_first_step(
            self.request, user=user, first_step="password", next_url=self.get_success_url()
        )

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        return super().get_context_data(**{self.redirect_field_name: self.get_redirect_url()}, **kwargs)


class RegisterPage(PublicFormView):
    template_name = "accounts/register.html"
    form_class = RegisterForm
    throttle = RegisterThrottle

    def perform(self, data: dict[str, Any]) -> HttpResponse:
        checked = serializers.RegisterSerializer(data=data)
        checked.is_valid(raise_exception=True)
        registration.register(**checked.validated_data, device=Device.of(self.request))
        return self.render_to_response(self.get_context_data(sent_to=checked.validated_data["email"]))


class RequestLinkPage(PublicFormView):
    """Requests a mailed link. The response is the same for every address."""

    form_class = EmailForm
    throttle = MailThrottle

    def perform(self, data: dict[str, Any]) -> HttpResponse:
        checked = serializers.EmailSerializer(data=data)
        checked.is_valid(raise_exception=True)
        self.request_link(checked.validated_data["email"])
        return self.render_to_response(self.get_context_data(sent_to=checked.validated_data["email"]))

    def request_link(self, email: str) -> None:
        raise NotImplementedError


class ForgotPage(RequestLinkPage):
    template_name = "accounts/forgot.html"

    def request_link(self, email: str) -> None:
        passwords.request_reset(email=email, device=Device.of(self.request))


class ResendPage(RequestLinkPage):
    template_name = "accounts/resend.html"

    def request_link(self, email: str) -> None:
        registration.resend_verification(email=email, device=Device.of(self.request))


@method_decorator([never_cache, sensitive_post_parameters()], name="dispatch")
class AdminLoginPage(LoginView):
    """The login page of the admin, with the second step of ``/login/``.

    Its attempts count together with those of the API and of ``/login/``.
    """

    template_name = "admin/login.html"
    authentication_form = AdminAuthenticationForm

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        if request.method == "GET" and admin.site.has_permission(request):
            return redirect("admin:index")
        if request.method == "GET" and request.user.is_authenticated:
            return render(request, "admin/not_staff.html", status=403)
        request.current_app = admin.site.name
        return super().dispatch(request, *args, **kwargs)

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        throttle = LoginThrottle()
        if not throttle.allow(request, request.POST.get("username")):
            return too_many_attempts(request, wait=throttle.wait())
        return super().post(request, *args, **kwargs)

    def form_valid(self, form: AdminAuthenticationForm) -> HttpResponse:
        return cookie_session.after_first_step(
            self.request, user=form.get_user(), first_step="password", next_url=self.get_success_url()
        )

    def get_default_redirect_url(self) -> str:
        return resolve_url("admin:index")

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        request = self.request
        page = {"title": "Log in", "app_path": request.get_full_path(), "username": request.user.get_username()}
        return super().get_context_data(**{**admin.site.each_context(request), **page, **kwargs})


def too_many_attempts(request: HttpRequest, *_: Any, wait: float | None = None) -> HttpResponse:
    """Return the error page with status 429; ``wait`` is in seconds. AXES_LOCKOUT_CALLABLE names it too."""
    seconds = math.ceil(wait or settings.AXES_COOLOFF_TIME.total_seconds())
    response = render(request, "accounts/too_many_attempts.html", {"minutes": math.ceil(seconds / 60)}, status=429)
    response["Retry-After"] = str(seconds)
    return response


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def sign_out(request: HttpRequest) -> HttpResponse:
    """Sign out on POST. GET changes nothing and redirects to the front page."""
    if request.method == "POST":
        logout(request)
        messages.success(request, "You are signed out.")
    return redirect(resolve_url("/"))
