"""The forms of the webhooks on the account page. They call the services of the API."""

from typing import Any

from django import forms
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404

from config.webhooks import services
from config.webhooks.models import Webhook, WebhookDelivery
from config.webhooks.serializers import WebhookFieldsSerializer

from .account import AccountFormView
from .forms import WebhookForm


class WebhookFormView(AccountFormView):
    """Handles one form about the webhook of the URL. A new secret is shown at once, and only in this response."""

    form, name = forms.Form, "webhook_action"
    secret = ""

    def post(self, request: HttpRequest, **_: Any) -> HttpResponse:
        response = super().post(request)
        if self.secret:
            return self.render_to_response(self.get_context_data(webhook_secret=self.secret))
        return response

    @property
    def webhook(self) -> Webhook:
        return get_object_or_404(Webhook.objects.visible_to(self.user), pk=self.kwargs["pk"])


class NewWebhookFormView(WebhookFormView):
    form, name, success_message = WebhookForm, "webhook", "Webhook created."

    def perform(self, data: dict[str, Any]) -> None:
        checked = WebhookFieldsSerializer(data=data)
        checked.is_valid(raise_exception=True)
        _, self.secret = services.create_webhook(owner=self.user, **checked.validated_data)


class TestFormView(WebhookFormView):
    success_message = "The test is on its way. Reload the page to see the answer."

    def perform(self, data: dict[str, Any]) -> None:
        services.send_test(webhook=self.webhook)


class SecretFormView(WebhookFormView):
    success_message = "The webhook has a new secret."

    def perform(self, data: dict[str, Any]) -> None:
        self.secret = services.replace_secret(webhook=self.webhook)


class SwitchFormView(WebhookFormView):
    success_message = "Webhook saved."

    def perform(self, data: dict[str, Any]) -> None:
        services.update_webhook(webhook=self.webhook, active="on" in self.request.POST)


class DeleteFormView(WebhookFormView):
    success_message = "Webhook deleted."

    def perform(self, data: dict[str, Any]) -> None:
        services.delete_webhook(webhook=self.webhook)


class ResendFormView(WebhookFormView):
    success_message = "The delivery is on its way again."

    def perform(self, data: dict[str, Any]) -> None:
        delivery = get_object_or_404(WebhookDelivery, webhook=self.webhook, pk=self.kwargs["delivery_pk"])
        services.resend(delivery=delivery)
