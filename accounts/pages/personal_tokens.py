"""The forms of the personal access tokens on the account page. They call the services of the API."""

from datetime import timedelta
from typing import Any

from django import forms
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, resolve_url
from django.utils import timezone
from django.utils.http import urlencode

from .. import serializers
from ..authentication import session_from_cookie
from ..services import personal_tokens
from ..throttles import ConfirmationThrottle
from .account import AccountFormView
from .forms import TokenForm

SECTION = "#tokens"


class NewTokenFormView(AccountFormView):
    """Creates a token, which is shown only in this response. Without a recent sign-in it asks for one."""

    form, name, success_message = TokenForm, "token", "Token created."
    throttle = ConfirmationThrottle

    def post(self, request: HttpRequest) -> HttpResponse:
        if not self.is_recent():
            query = urlencode({"next": resolve_url("account-page") + SECTION})
            return redirect(f"{resolve_url('reauthenticate-page')}?{query}")
        self.new_token = ""
        response = super().post(request)
        if self.new_token:
            return self.render_to_response(self.get_context_data(new_token=self.new_token))
        return response

    def bound_form(self, request: HttpRequest) -> forms.Form:
        return TokenForm(request.POST, auto_id="token_%s", user=self.user)

    def perform(self, data: dict[str, Any]) -> None:
        days = int(data.pop("valid_days") or 0)
        data["expires_at"] = (timezone.now() + timedelta(days=days)).isoformat() if days else None
        checked = serializers.NewTokenSerializer(data=data)
        checked.is_valid(raise_exception=True)
        _, self.new_token = personal_tokens.create_token(
            user=self.user, session=session_from_cookie(self.request), **checked.validated_data
        )


class RevokeTokenFormView(AccountFormView):
    form, name, success_message = forms.Form, "token_action", "Token revoked. It is refused from now on."

    def post(self, request: HttpRequest, **_: Any) -> HttpResponse:
        return super().post(request)

    def perform(self, data: dict[str, Any]) -> None:
        if not personal_tokens.revoke_token(user=self.user, token_id=self.kwargs["id"]):
            raise Http404
