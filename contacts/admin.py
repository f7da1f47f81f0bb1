"""Read-only lists of uploads and rows. Staff can undo uploads and erase rows; they cannot change what is stored."""

from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import Model, QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.urls import URLPattern, path, reverse
from django.utils.html import format_html

from config import storage
from config.admin import JobStateFilter, ReadOnlyAdmin
from config.api.errors import Conflict

from .models import Contact, FileMetadata, KeyedRow, KeyGate, RejectedRow, UnprocessedContact, UploadStatus, UploadUndo
from .services import contacts, undo, uploads


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
    actions = ("undo_uploads", "delete_uploads")

    def get_queryset(self, request: HttpRequest) -> Any:
        return super().get_queryset(request).filter(deleted_at=None)

    def has_undo_permission(self, request: HttpRequest) -> bool:
        return super(ReadOnlyAdmin, self).has_change_permission(request)  # permissions of the user, not of this page

    @admin.action(description="Undo: remove the rows that were stored", permissions=["undo"])
    def undo_uploads(self, request: HttpRequest, chosen: "QuerySet[FileMetadata]") -> None:
        for upload in chosen:
            try:
                result = undo.undo_upload(upload=upload)
            except Conflict as error:
                self.message_user(request, f"Upload {upload.pk}: {error.detail}", messages.ERROR)
                continue
            removed = f"{result.removed_contacts} contacts and {result.removed_waiting} waiting rows were removed."
            if result.status == UploadStatus.UNDOING:
                removed = "A worker is removing the rows."
            self.message_user(request, f"Upload {upload.pk}: {removed}")

    def has_delete_upload_permission(self, request: HttpRequest) -> bool:
        return super(ReadOnlyAdmin, self).has_delete_permission(request)

    # Not the admin's own deletion, which would delete the contacts too.
    @admin.action(description="Delete the upload and its original; contacts stay", permissions=["delete_upload"])
    def delete_uploads(self, request: HttpRequest, chosen: "QuerySet[FileMetadata]") -> None:
        for upload in chosen:
            try:
                uploads.delete_upload(upload=upload)
            except Conflict as error:
                self.message_user(request, f"Upload {upload.pk}: {error.detail}", messages.ERROR)
                continue
            self.message_user(request, f"Upload {upload.pk} was deleted with its original and its rejected rows.")

    @admin.display(description="original")
    def original(self, upload: FileMetadata) -> str:
        return format_html(
            '<a href="{}">Download</a>', reverse("admin:contacts_filemetadata_original", args=[upload.pk])
        )

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view(self.download)
        return [path("<int:pk>/original/", view, name="contacts_filemetadata_original"), *super().get_urls()]

    def download(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Redirect to a link of the original file that is valid for five minutes."""
        upload = get_object_or_404(FileMetadata, pk=pk)
        if not self.has_view_permission(request, upload):
            raise PermissionDenied
        return HttpResponseRedirect(storage.signed_url(upload.key, filename=upload.name))


class ErasableRowAdmin(ReadOnlyAdmin):
    """Base of rows that staff erase when a person asks for it."""

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return super(ReadOnlyAdmin, self).has_delete_permission(request, obj)

    def erase(self, *, owner: Any, ids: list[int]) -> None:
        """Erase rows of one owner with the app's service."""
        raise NotImplementedError

    def delete_model(self, request: HttpRequest, obj: KeyedRow) -> None:
        self.erase(owner=obj.owner, ids=[obj.pk])

    def delete_queryset(self, request: HttpRequest, queryset: "QuerySet[Any]") -> None:
        ids: dict[Any, list[int]] = {}
        for row in queryset.select_related("owner"):
            ids.setdefault(row.owner, []).append(row.pk)
        for owner, own in ids.items():
            self.erase(owner=owner, ids=own)


@admin.register(Contact)
class ContactAdmin(ErasableRowAdmin):
    list_display = ("id", "name", "phone_number", "email_address", "owner", "upload", "row", "accepted_at")
    list_select_related = ("owner", "upload")
    search_fields = ("search_text__has_folded",)
    exclude = ("search_text", "name_key")
    date_hierarchy = "accepted_at"

    def erase(self, *, owner: Any, ids: list[int]) -> None:
        contacts.delete_contacts(owner=owner, ids=ids)


@admin.register(UnprocessedContact)
class UnprocessedContactAdmin(ErasableRowAdmin):
    list_display = ("id", "name", "phone_number", "email_address", "owner", "upload", "row", "received_at", "due_at")
    list_filter = ("phone_busy", "email_busy")
    list_select_related = ("owner", "upload")
    search_fields = ("search_text__has_folded",)
    exclude = ("search_text",)

    def erase(self, *, owner: Any, ids: list[int]) -> None:
        contacts.delete_waiting_rows(owner=owner, ids=ids)


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


@admin.register(UploadUndo)
class UploadUndoAdmin(ReadOnlyAdmin):
    list_display = ("id", "upload", "attempts", "done_at", "failed_at", "error")
    list_filter = (JobStateFilter,)
    list_select_related = ("upload",)
