"""Sends users who must have a second factor and have none to the page that sets one up."""

from collections.abc import Callable

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils import timezone

from .factors import policy
from .models import User, UserProfile

# The API checks for itself (accounts.authentication). The others are needed to set up a factor, or need no sign-in.
OPEN = (
    "/api/", "/account/two-step/", "/account/reauthenticate/", "/login/", "/logout/", "/oidc/", "/v/", "/r/", "/i/",
    "/files/", "/static/", "/schema/", "/healthz/", "/readyz/", "/metrics/", "/favicon.ico",
)  # fmt: skip


class FactorSetupMiddleware:
    """Redirect to ``/account/two-step/`` where ``MFA_REQUIRED`` demands it, on pages and in the admin."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if settings.MFA_REQUIRED and not request.path_info.startswith(OPEN):
            user = request.user
            if isinstance(user, User) and user.is_authenticated and policy.must_set_up(user):
                return redirect("two-step-page")
        return self.get_response(request)


class FormRedirectMiddleware:
    """Answer a form that a script has sent (``fields.js``) with 204 and the new address in ``Form-Redirect``.

    The browser would follow a redirect before the script sees its address, and the page there would lose its messages.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        if response.status_code == 302 and "Form-Fetch" in request.headers:
            response.status_code = 204
            response["Form-Redirect"] = response["Location"]
            del response["Location"]
        return response


class AdminTimeZoneMiddleware:
    """Show and read the times of the admin in the time zone of the signed-in user's profile."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        user = request.user if request.path_info.startswith("/admin/") else None
        if not isinstance(user, User) or not user.is_authenticated or not user.is_staff:
            return self.get_response(request)
        profile = UserProfile.objects.filter(user=user).only("timezone").first()
        with timezone.override(profile.timezone if profile and profile.timezone else None):
            return self.get_response(request)
