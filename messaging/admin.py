"""Messages in the admin: who sent how much and when, but not the text."""

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.db.models.functions import Length
from django.http import HttpRequest

from config.admin import JobStateFilter, ReadOnlyAdmin, SendAgainAdmin

from .models import BroadcastBatch, Message, MessageRecipient


@admin.register(Message)
class MessageAdmin(ReadOnlyAdmin):
    """Shows no text: staff do not read private messages."""

    list_display = ("id", "sender", "created_at", "size", "broadcast", "recipient_count", "edited_at", "deleted_at")
    list_filter = ("broadcast", "created_at")
    list_select_related = ("sender",)
    search_fields = ("=id", "sender__username", "=sender__usercode")
    date_hierarchy = "created_at"
    fields = ("id", "sender", "created_at", "size", "broadcast", "recipient_count", "edited_at", "deleted_at")
    readonly_fields = ("id", "created_at", "size")

    def get_queryset(self, request: HttpRequest) -> QuerySet:
        return super().get_queryset(request).annotate(length=Length("body")).defer("body")

    @admin.display(description="size", ordering="length")
    def size(self, message: Any) -> str:
        return f"{message.length} characters"


@admin.register(MessageRecipient)
class MessageRecipientAdmin(ReadOnlyAdmin):
    list_display = ("message_id", "sender", "recipient", "broadcast", "delivered_at", "read_at")
    list_filter = ("broadcast",)
    list_select_related = ("sender", "recipient")
    search_fields = ("=message__id", "sender__username", "recipient__username")
    fields = ("message_id", "sender", "recipient", "broadcast", "delivered_at", "read_at")
    readonly_fields = ("message_id",)


@admin.register(BroadcastBatch)
class BroadcastBatchAdmin(SendAgainAdmin):
    list_display = ("message_id", "size", "attempts", "due_at", "done_at", "failed_at", "error")
    list_filter = (JobStateFilter,)
    fields = ("message_id", "size", "attempts", "due_at", "done_at", "failed_at", "error")
    readonly_fields = ("message_id", "size", "due_at")

    @admin.display(description="recipients")
    def size(self, batch: BroadcastBatch) -> int:
        return len(batch.recipient_ids)
