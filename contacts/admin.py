"""What was uploaded and what became of it: to look at. No hand changes what the window decided."""

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.urls import URLPattern, path, reverse
from django.utils.html import format_html

from config import storage
from config.admin import ReadOnlyAdmin

from .models import Contact, FileMetadata, KeyGate, RejectedRow, UnprocessedContact


@admin.register(FileMetadata)
class FileMetadataAdmin(ReadOnlyAdmin):
    list_display = (
        "id", "name", "owner", "status", "total_rows", "accepted", "deferred", "rejected", "created_at", "original",
    )  # fmt: skip
    list_filter = ("status", "created_at")
    list_select_related = ("owner",)
    search_fields = ("name", "owner__username", "owner__email", "sha256")
    date_hierarchy = "created_at"
    readonly_fields = ("original",)

    @admin.display(description="original")
    def original(self, upload: FileMetadata) -> str:
        return format_html(
            '<a href="{}">Download</a>', reverse("admin:contacts_filemetadata_original", args=[upload.pk])
        )

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view(self.download)
        return [path("<int:pk>/original/", view, name="contacts_filemetadata_original"), *super().get_urls()]

    def download(self, request: HttpRequest, pk: int) -> HttpResponse:
        """To a link of five minutes, as the owner gets one."""
        upload = get_object_or_404(FileMetadata, pk=pk)
        if not self.has_view_permission(request, upload):
            raise PermissionDenied
        return HttpResponseRedirect(storage.signed_url(upload.key, filename=upload.name))


@admin.register(Contact)
class ContactAdmin(ReadOnlyAdmin):
    list_display = ("id", "name", "phone_number", "email_address", "owner", "upload", "row", "accepted_at")
    list_select_related = ("owner", "upload")
    search_fields = ("search_text__folded_contains",)
    exclude = ("search_text",)
    date_hierarchy = "accepted_at"


@admin.register(UnprocessedContact)
class UnprocessedContactAdmin(ReadOnlyAdmin):
    list_display = ("id", "name", "phone_number", "email_address", "owner", "upload", "row", "received_at", "due_at")
    list_filter = ("phone_busy", "email_busy")
    list_select_related = ("owner", "upload")
    search_fields = ("search_text__folded_contains",)
    exclude = ("search_text",)


@admin.register(RejectedRow)
class RejectedRowAdmin(ReadOnlyAdmin):
    list_display = ("id", "upload", "row", "column", "code", "value", "message")
    list_filter = ("code",)
    list_select_related = ("upload",)
    search_fields = ("name", "phone_number", "email_address")


@admin.register(KeyGate)
class KeyGateAdmin(ReadOnlyAdmin):
    list_display = ("key", "stored_at", "next_free_at")
    search_fields = ("key",)
