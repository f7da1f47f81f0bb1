"""Sign-in with the OpenID Connect provider: ``/oidc/login/``, ``/oidc/callback/``, and connecting an account."""

import secrets
import time
from typing import Any

from django.conf import settings
from django.contrib import messages
from django.contrib.auth.mixins import LoginRequiredMixin
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.http.response import HttpResponseBase
from django.shortcuts import redirect, render, resolve_url
from django.utils.decorators import method_decorator
from django.utils.http import url_has_allowed_host_and_scheme, urlencode
from django.views import View
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_variables

from config.api.errors import RETRY_AFTER
from config.api.throttles import ClientThrottle

from ..authentication import session_from_cookie
from ..devices import Device
from ..factors import policy
from ..models import OidcIdentity, User
from ..oidc.calls import CodeRefused, ProviderError, ProviderUnavailable
from ..oidc.provider import Identity
from ..services import oidc
from ..services.oidc import Purpose
from ..services.recent_sign_in import ReauthenticationRequired, require_recent_sign_in
from . import cookie_session
from .sign_in import too_many_attempts

COOKIE = "oidc"
PENDING = "oidc_connect"  # key in request.session: an identity that waits for its user's consent


class OidcThrottle(ClientThrottle):
    """Limits sign-ins with the provider, which cost requests to it."""

    scope = "LOGIN"

    def get_cache_key(self, request: Any, view: Any) -> str | None:
        return f"{super().get_cache_key(request, view)}:oidc"


def safe_next(request: HttpRequest) -> str:
    """Return the path of ``next`` if it is one of this site, else the front page."""
    url = request.GET.get("next", "")
    is_path = (
        url.startswith("/")
        and url.isprintable()
        and len(url) <= 2000
        and url_has_allowed_host_and_scheme(url, allowed_hosts=None)
    )
    return url if is_path else "/"


def redirect_with_next(page: str, next_url: str) -> HttpResponseRedirect:
    """Redirect to ``page``, which leads to ``next_url`` afterwards."""
    return HttpResponseRedirect(f"{resolve_url(page)}?{urlencode({'next': next_url})}")


@method_decorator(never_cache, name="dispatch")
class OidcView(View):
    """Base: 404 without a provider, limits attempts, and shows every failure as a page."""

    http_method_names = ["get"]

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        if not settings.OIDC_ISSUER:
            raise Http404
        throttle = OidcThrottle()
        if not throttle.allow_request(request, self):
            return too_many_attempts(request, wait=throttle.wait())
        try:
            return super().dispatch(request, *args, **kwargs)
        except ProviderUnavailable:
            text = "does not answer at the moment. Try again later, or sign in with your password."
            return self.failure(f"{settings.OIDC_LABEL} {text}", 503)
        except CodeRefused:
            return self.failure("This sign-in is no longer valid. Start again.", 400)
        except ProviderError:
            text = "gave an answer that cannot be trusted, so you are not signed in. Nothing has changed."
            return self.failure(f"{settings.OIDC_LABEL} {text}", 502)
        except oidc.UnknownAttempt:
            return self.failure("This sign-in took longer than ten minutes, or was already used. Start again.", 400)
        except oidc.SignInRefused as error:
            return self.failure(error.message, 403)
        except ReauthenticationRequired:
            return redirect_with_next("reauthenticate-page", "/account/")

    def failure(self, text: str, status: int) -> HttpResponse:
        response = render(self.request, "accounts/oidc_failed.html", {"text": text}, status=status)
        if status == 503:
            response["Retry-After"] = str(RETRY_AFTER)
        return response


class OidcLoginPage(OidcView):
    """Sends the browser to the provider: to sign in, to connect one's account, or to sign in again (``reauth=1``)."""

    def get(self, request: HttpRequest) -> HttpResponseBase:
        next_url, purpose, user = safe_next(request), Purpose.SIGN_IN, None
        if isinstance(request.user, User):
            user = request.user
            is_connected = OidcIdentity.objects.filter(user=user).exists()
            purpose = Purpose.AGAIN if request.GET.get("reauth") == "1" else Purpose.CONNECT
            if purpose == Purpose.AGAIN and not is_connected:
                return self.failure(f"Your account is not connected to {settings.OIDC_LABEL}.", 409)
            if purpose == Purpose.AGAIN and policy.has_factor(user):
                return redirect_with_next("reauthenticate-page", next_url)
            if purpose == Purpose.CONNECT and is_connected:
                return HttpResponseRedirect(next_url)
            if purpose == Purpose.CONNECT:
                require_recent_sign_in(session=session_from_cookie(request))
        browser = request.COOKIES.get(COOKIE, "")
        if not 20 <= len(browser) <= 100:
            browser = secrets.token_urlsafe(24)
        response = HttpResponseRedirect(oidc.begin(purpose=purpose, next_url=next_url, browser=browser, user=user))
        response.set_cookie(
            COOKIE, browser, max_age=oidc.LIFETIME, path="/oidc/", secure=settings.HTTPS, httponly=True, samesite="Lax"
        )
        return response


class OidcCallbackPage(OidcView):
    """Receives the browser back from the provider."""

    @method_decorator(sensitive_variables("code", "state"))
    def get(self, request: HttpRequest) -> HttpResponseBase:
        state, browser = request.GET.get("state", ""), request.COOKIES.get(COOKIE, "")
        code = request.GET.get("code", "")
        if not code:
            oidc.take_attempt(state=state, browser=browser)
            cancelled = request.GET.get("error") == "access_denied"
            reason = "You cancelled the sign-in." if cancelled else f"{settings.OIDC_LABEL} refused the sign-in."
            return self.failure(f"{reason} Nothing has changed.", 400)
        answer = oidc.finish(state=state, browser=browser, code=code, issuer=request.GET.get("iss"))
        if answer.purpose == Purpose.SIGN_IN:
            user = oidc.user_of(identity=answer.identity, device=Device.of(request))
            return cookie_session.after_first_step(request, user=user, first_step="oidc", next_url=answer.next_url)
        if not isinstance(request.user, User) or request.user.pk != answer.user_id:
            return self.failure("Somebody else has signed in here since. Start again.", 403)
        if answer.purpose == Purpose.AGAIN:
            oidc.sign_in_again(user=request.user, session=session_from_cookie(request), identity=answer.identity)
            return HttpResponseRedirect(answer.next_url)
        # The person agrees on a page of this site: another site can start a sign-in, but cannot press its button.
        request.session[PENDING] = {"identity": answer.identity, "next": answer.next_url, "at": time.time()}
        return render(request, "accounts/oidc_connect.html", {"email": answer.identity.email})


class OidcConnectPage(LoginRequiredMixin, OidcView):
    """Connects the account after its user has agreed."""

    http_method_names = ["post"]

    def post(self, request: HttpRequest) -> HttpResponseBase:
        pending = request.session.pop(PENDING, None)
        if pending is None or time.time() - pending["at"] > oidc.LIFETIME.total_seconds():
            raise oidc.UnknownAttempt
        oidc.connect(
            user=request.user, identity=Identity(*pending["identity"]), session=session_from_cookie(request),
            device=Device.of(request),
        )  # fmt: skip
        messages.success(request, f"Your account is connected to {settings.OIDC_LABEL}.")
        return HttpResponseRedirect(pending["next"])


class OidcDisconnectPage(LoginRequiredMixin, OidcView):
    """Disconnects the account from the provider."""

    http_method_names = ["post"]

    def post(self, request: HttpRequest) -> HttpResponseBase:
        oidc.disconnect(user=request.user, session=session_from_cookie(request), device=Device.of(request))
        messages.success(request, f"Your account is no longer connected to {settings.OIDC_LABEL}.")
        return redirect("account-page")
