from django.urls import path

from .views import exports, rows, uploads

app_name = "contacts"

urlpatterns = [
    path("", rows.ContactsView.as_view(), name="contacts"),
    path("<int:pk>/", rows.ContactView.as_view(), name="contact"),
    path("delete/", rows.DeleteContactsView.as_view(), name="delete"),
    path("unprocessed/", rows.UnprocessedView.as_view(), name="unprocessed"),
    path("unprocessed/<int:pk>/", rows.WaitingRowView.as_view(), name="unprocessed-row"),
    path("template.xlsx", exports.TemplateView.as_view(), name="template"),
    path("export.xlsx", exports.XlsxExportView.as_view(), name="export"),
    path("export.csv", exports.CsvExportView.as_view(), name="export-csv"),
    path("export.vcf", exports.VCardExportView.as_view(), name="export-vcf"),
    path("uploads/", uploads.UploadsView.as_view(), name="uploads"),
    path("uploads/<int:pk>/", uploads.UploadView.as_view(), name="upload"),
    path("uploads/<int:pk>/original/", uploads.OriginalView.as_view(), name="original"),
    path("uploads/<int:pk>/errors/", uploads.ErrorsView.as_view(), name="errors"),
    path("uploads/<int:pk>/errors.xlsx", uploads.ErrorsXlsxView.as_view(), name="errors-xlsx"),
    path("uploads/<int:pk>/errors.csv", uploads.ErrorsCsvView.as_view(), name="errors-csv"),
    path("uploads/<int:pk>/retry/", uploads.RetryView.as_view(), name="retry"),
    path("uploads/<int:pk>/undo/", uploads.UndoView.as_view(), name="undo"),
]
