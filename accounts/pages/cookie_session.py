"""Sign-in on this site's pages: the session cookie, and the second step before it."""

from django.contrib.auth import login
from django.http import HttpRequest, HttpResponseRedirect
from django.shortcuts import redirect

from ..backends import BACKEND
from ..models import User
from ..services.factors import second_step

PENDING = "second_step"  # key in request.session


def after_first_step(request: HttpRequest, *, user: User, first_step: str, next_url: str) -> HttpResponseRedirect:
    """Continue a sign-in after its first step: ask for the second factor, or sign in and redirect to ``next_url``.

    ``first_step`` says what was checked: ``password`` or ``oidc``. ``next_url`` must be a safe path of this site.
    """
    step = second_step.begin(user=user, first_step=first_step)
    if step is None:
        return start(request, user=user, signed_in_with=first_step, next_url=next_url)
    request.session[PENDING] = {
        "ticket": step.ticket,
        "methods": step.methods,
        "passkey_options": step.passkey_options,
        "next": next_url,
    }
    return redirect("second-step-page")


def start(request: HttpRequest, *, user: User, signed_in_with: str, next_url: str) -> HttpResponseRedirect:
    """Sign ``user`` in with a cookie; ``signed_in_with`` as in second_step.Completed."""
    request.session.pop(PENDING, None)
    request.signed_in_with = signed_in_with  # read by receivers.record_cookie_session
    login(request, user, backend=BACKEND)
    return HttpResponseRedirect(next_url)
