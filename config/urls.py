"""Every address of the site. The API's stand under ``/api/v1/``; the apps name their own."""

from django.contrib import admin
from django.urls import include, path

from . import api_docs, health, storage, views

api = [
    path("auth/", include("accounts.urls")),
    path("", include("notes.urls")),
    path("", include("messaging.urls")),
    path("contacts/", include("contacts.urls")),
    path("trends/", include("trends.urls")),
]

urlpatterns = [
    path("api/v1/", include(api)),
    path("", views.landing, name="landing"),
    path("favicon.ico", views.favicon, name="favicon"),
    path("", include("accounts.page_urls")),
    path("notes/", include("notes.page_urls")),
    path("messager/", include("messaging.page_urls")),
    path("trends/", include("trends.page_urls")),
    path("schema/", api_docs.SchemaView.as_view(), name="schema"),
    path("swagger/", api_docs.SwaggerView.as_view(), name="swagger"),
    path("redoc/", api_docs.RedocView.as_view(), name="redoc"),
    path("admin/", admin.site.urls),
    path("files/<str:token>/", storage.serve, name="file"),
    path("healthz/", health.healthz, name="healthz"),
    path("readyz/", health.readyz, name="readyz"),
    path("metrics/", health.metrics, name="metrics"),
]

handler400 = "config.errors.bad_request"
handler403 = "config.errors.permission_denied"
handler404 = "config.errors.page_not_found"
handler500 = "config.errors.server_error"
