"""The pages behind mailed links. Opening one changes nothing, because mail scanners open links too."""

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import render
from django.utils.decorators import method_decorator
from django.views import View
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from rest_framework.exceptions import APIException, ValidationError

from ..devices import Device
from ..models import AccountLink, Invitation
from ..services import invitations, links, passwords, registration, verification
from ..services.links import Purpose
from .forms import InvitationForm, NewPasswordForm, add_errors


@method_decorator([never_cache, sensitive_post_parameters()], name="dispatch")
class LinkPage(View):
    """Shows what a mailed link is for. The POST of its form uses the link."""

    purposes: list[Purpose]
    template: str

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        try:
            response: HttpResponseBase = super().dispatch(request, *args, **kwargs)
        except (links.InvalidCode, links.ExpiredCode) as error:
            state = "expired" if isinstance(error, links.ExpiredCode) else "invalid"
            response = self.render({"state": state}, status=400)
        # The URL contains the code and must not leak to other pages. With "no-referrer" browsers would send the form
        # with the origin "null", which the CSRF check refuses.
        response["Referrer-Policy"] = "strict-origin"
        return response

    def get(self, request: HttpRequest, code: str) -> HttpResponse:
        return self.render_form(links.find_link(code=code, purposes=self.purposes))

    def render_form(self, link: AccountLink, *, status: int = 200, **context: Any) -> HttpResponse:
        return self.render({"state": "form", "link": link, **context}, status)

    def render(self, context: dict[str, Any], status: int = 200) -> HttpResponse:
        return render(self.request, self.template, context, status=status)


class VerifyPage(LinkPage):
    purposes = [Purpose.VERIFY_EMAIL, Purpose.CHANGE_EMAIL]
    template = "accounts/verify.html"

    def post(self, request: HttpRequest, code: str) -> HttpResponse:
        try:
            user = verification.verify_email(code=code)
        except (
            registration.RegistrationClosed,
            registration.EmailTaken,
            registration.UsernameConflict,
        ) as error:
            return self.render({"state": "taken", "detail": error.detail}, status=error.status_code)
        return self.render({"state": "done", "verified": user})


@method_decorator([never_cache, sensitive_post_parameters()], name="dispatch")
class InvitationPage(View):
    """``/i/<code>/``: the form with which an invited person creates an account."""

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        try:
            response: HttpResponseBase = super().dispatch(request, *args, **kwargs)
        except registration.RegistrationClosed:
            response = self.render({"state": "closed"}, status=403)
        except (invitations.InvalidInvitation, invitations.ExpiredInvitation) as error:
            state = "expired" if isinstance(error, invitations.ExpiredInvitation) else "invalid"
            response = self.render({"state": state}, status=400)
        response["Referrer-Policy"] = "strict-origin"  # as for LinkPage
        return response

    def get(self, request: HttpRequest, code: str) -> HttpResponse:
        return self.render_form(invitations.find(code=code), InvitationForm())

    def post(self, request: HttpRequest, code: str) -> HttpResponse:
        invitation = invitations.find(code=code)
        form = InvitationForm(request.POST, email=invitation.email)
        if not form.is_valid():
            return self.render_form(invitation, form, 400)
        try:
            user = invitations.accept(code=code, **form.cleaned_data)
        except (invitations.InvalidInvitation, invitations.ExpiredInvitation):
            raise
        except APIException as error:
            add_errors(form, error)
            return self.render_form(invitation, form, error.status_code)
        return self.render({"state": "done", "account": user})

    def render_form(self, invitation: Invitation, form: InvitationForm, status: int = 200) -> HttpResponse:
        return self.render({"state": "form", "invitation": invitation, "form": form}, status)

    def render(self, context: dict[str, Any], status: int = 200) -> HttpResponse:
        return render(self.request, "accounts/invitation.html", context, status=status)


class NewPasswordPage(LinkPage):
    purposes = [Purpose.RESET_PASSWORD]
    template = "accounts/new_password.html"

    def render_form(self, link: AccountLink, *, status: int = 200, **context: Any) -> HttpResponse:
        return super().render_form(link, status=status, **{"form": NewPasswordForm(), **context})

    def post(self, request: HttpRequest, code: str) -> HttpResponse:
        link = links.find_link(code=code, purposes=self.purposes)
        form = NewPasswordForm(request.POST)
        if form.is_valid():
            try:
                passwords.reset_password(code=code, password=form.cleaned_data["password"], device=Device.of(request))
            except (links.InvalidCode, links.ExpiredCode):
                raise
            except ValidationError as error:
                add_errors(form, error)
            else:
                return self.render({"state": "done"})
        return self.render_form(link, status=400, form=form)
