"""All URLs of the site. Each app defines its own; the API is under ``/api/v1/``."""

from django.conf import settings
from django.contrib import admin
from django.urls import include, path

from . import storage
from .api import docs
from .http import dev_mail, health, home, landing, metrics_page

api = [
    path("auth/", include("accounts.urls")),
    path("", include("notes.urls")),
    path("", include("messaging.urls")),
    path("contacts/", include("contacts.urls")),
    path("trends/", include("trends.urls")),
    path("webhooks/", include("config.webhooks.urls")),
]

urlpatterns = [
    path("api/v1/", include(api)),
    path("", home.home, name="landing"),
    path("favicon.ico", landing.favicon, name="favicon"),
    path("", include("accounts.pages.urls")),
    path("notes/", include("notes.pages.urls")),
    path("messager/", include("messaging.pages.urls")),
    path("contacts/", include("contacts.pages.urls")),
    path("trends/", include("trends.pages.urls")),
    path("schema/", docs.SchemaView.as_view(), name="schema"),
    path("swagger/", docs.SwaggerView.as_view(), name="swagger"),
    path("redoc/", docs.RedocView.as_view(), name="redoc"),
    path("admin/dashboard/", include("config.dashboard.urls")),
    path("admin/", admin.site.urls),
    path("files/<str:token>/", storage.serve, name="file"),
    path("healthz/", health.healthz, name="healthz"),
    path("readyz/", health.readyz, name="readyz"),
    path("metrics/", metrics_page.metrics, name="metrics"),
]

if settings.DEV_MAIL:
    urlpatterns.append(path("dev/mail/", include(dev_mail.urlpatterns)))

handler400 = "config.http.error_pages.bad_request"
handler403 = "config.http.error_pages.permission_denied"
handler404 = "config.http.error_pages.page_not_found"
handler500 = "config.http.error_pages.server_error"
