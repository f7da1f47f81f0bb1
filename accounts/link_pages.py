"""The pages behind the short links of mails. Opening one changes nothing: mail scanners open links too."""

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import render
from django.utils.decorators import method_decorator
from django.views import View
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from rest_framework.exceptions import ValidationError

from .devices import Device
from .forms import NewPasswordForm, add_errors
from .models import AccountLink
from .services import emails, links, passwords, registration
from .services.links import Purpose


@method_decorator([never_cache, sensitive_post_parameters()], name="dispatch")
class LinkPage(View):
    """Shows what the link is for, and does it when the button is pressed."""

    purposes: list[Purpose]
    template: str

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        try:
            response: HttpResponseBase = super().dispatch(request, *args, **kwargs)
        except (links.InvalidCode, links.ExpiredCode) as error:
            expired = isinstance(error, links.ExpiredCode)
            response = self.page({"state": "expired" if expired else "invalid"}, status=400)
        # The address holds the code: it must not travel on to any page that is opened from here. Not "no-referrer",
        # with which browsers send the form as of no origin, and the CSRF check refuses it.
        response["Referrer-Policy"] = "strict-origin"
        return response

    def get(self, request: HttpRequest, code: str) -> HttpResponse:
        return self.ask(links.find_link(code=code, purposes=self.purposes)[0])

    def ask(self, link: AccountLink, **context: Any) -> HttpResponse:
        return self.page({"state": "ask", "link": link, **context})

    def page(self, context: dict[str, Any], status: int = 200) -> HttpResponse:
        return render(self.request, self.template, context, status=status)


class VerifyPage(LinkPage):
    purposes = [Purpose.VERIFY_EMAIL, Purpose.CHANGE_EMAIL]
    template = "accounts/verify.html"

    def post(self, request: HttpRequest, code: str) -> HttpResponse:
        try:
            user = registration.verify_email(code=code)
        except emails.EmailTaken as error:
            return self.page({"state": "taken", "detail": error.detail}, status=error.status_code)
        return self.page({"state": "done", "verified": user})


class NewPasswordPage(LinkPage):
    purposes = [Purpose.RESET_PASSWORD]
    template = "accounts/new_password.html"

    def ask(self, link: AccountLink, **context: Any) -> HttpResponse:
        return super().ask(link, **{"form": NewPasswordForm(), **context})

    def post(self, request: HttpRequest, code: str) -> HttpResponse:
        link, _ = links.find_link(code=code, purposes=self.purposes)
        form = NewPasswordForm(request.POST)
        if form.is_valid():
            try:
                passwords.reset_password(code=code, password=form.cleaned_data["password"], device=Device.of(request))
            except (links.InvalidCode, links.ExpiredCode):
                raise
            except ValidationError as error:
                add_errors(form, error)
            else:
                return self.page({"state": "done"})
        return self.ask(link, form=form)
