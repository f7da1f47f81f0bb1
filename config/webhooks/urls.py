"""URLs of ``/api/v1/webhooks/``."""

from django.urls import path

from .views import DeliveryViewSet, WebhookViewSet

urlpatterns = [
    path("", WebhookViewSet.as_view({"get": "list", "post": "create"}), name="webhooks"),
    path(
        "<int:pk>/",
        WebhookViewSet.as_view({"get": "retrieve", "patch": "partial_update", "delete": "destroy"}),
        name="webhook",
    ),
    path("<int:pk>/secret/", WebhookViewSet.as_view({"post": "secret"}), name="webhook-secret"),
    path("<int:pk>/test/", WebhookViewSet.as_view({"post": "test"}), name="webhook-test"),
    path("<int:pk>/deliveries/", DeliveryViewSet.as_view({"get": "list"}), name="webhook-deliveries"),
    path(
        "<int:pk>/deliveries/<int:delivery_id>/resend/",
        DeliveryViewSet.as_view({"post": "resend"}),
        name="webhook-delivery-resend",
    ),
]
