from django.urls import path

from . import views

app_name = "contacts"

urlpatterns = [
    path("", views.ContactsView.as_view(), name="contacts"),
    path("unprocessed/", views.UnprocessedView.as_view(), name="unprocessed"),
    path("template.xlsx", views.TemplateView.as_view(), name="template"),
    path("export.xlsx", views.ExportView.as_view(), name="export"),
    path("uploads/", views.UploadsView.as_view(), name="uploads"),
    path("uploads/<int:pk>/", views.UploadView.as_view(), name="upload"),
    path("uploads/<int:pk>/original/", views.OriginalView.as_view(), name="original"),
    path("uploads/<int:pk>/errors/", views.ErrorsView.as_view(), name="errors"),
    path("uploads/<int:pk>/errors.xlsx", views.ErrorsSheetView.as_view(), name="errors-xlsx"),
    path("uploads/<int:pk>/retry/", views.RetryView.as_view(), name="retry"),
]
