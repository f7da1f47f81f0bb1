"""URLs of the pages under ``/contacts/``."""

from django.urls import path

from .views import import_page, people, upload, uploads, waiting
from .window import ContactIdsView, ContactWindowView

urlpatterns = [
    path("", people, name="contacts-page"),
    path("window/", ContactWindowView.as_view(), name="contacts-page-window"),
    path("ids/", ContactIdsView.as_view(), name="contacts-page-ids"),
    path("import/", import_page, name="contacts-import-page"),
    path("uploads/", uploads, name="uploads-page"),
    path("uploads/<int:pk>/", upload, name="upload-page"),
    path("waiting/", waiting, name="waiting-page"),
]
