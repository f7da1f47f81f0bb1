"""Admin of notes. Lists show no content; the page of a note does."""

from typing import Any

from django.contrib import admin
from django.db.models import Count, QuerySet
from django.http import HttpRequest

from config.admin import JobStateFilter, ReadOnlyAdmin, SendAgainAdmin

from .models import Label, Membership, MembershipLabel, Note, NoteImport, Reminder


class MembershipInline(admin.TabularInline):
    model = Membership
    fields = readonly_fields = ("user", "role", "pinned", "archived", "joined_at")
    extra = 0
    can_delete = False

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


@admin.register(Note)
class NoteAdmin(ReadOnlyAdmin):
    """Read-only: a change here would not update the version, the caches and the other members."""

    list_display = ("id", "owner", "title", "color", "version", "trashed_at", "created_at", "updated_at")
    list_filter = ("color", ("trashed_at", admin.EmptyFieldListFilter), "updated_at")
    list_select_related = ("owner",)
    search_fields = ("title", "owner__username", "owner__email", "owner__usercode")
    date_hierarchy = "created_at"
    exclude = ("search_text", "import_digest")
    inlines = (MembershipInline,)


@admin.register(Membership)
class MembershipAdmin(ReadOnlyAdmin):
    list_display = ("id", "user", "note", "role", "pinned", "archived", "trashed", "withheld", "updated_at")
    list_filter = ("role", "pinned", "archived", "trashed", "withheld")
    list_select_related = ("user", "note")
    search_fields = ("user__username", "user__email", "user__usercode", "=note__id")


@admin.register(Label)
class LabelAdmin(ReadOnlyAdmin):
    list_display = ("id", "owner", "name", "notes")
    list_select_related = ("owner",)
    search_fields = ("name", "owner__username", "owner__email")

    def get_queryset(self, request: HttpRequest) -> QuerySet:
        return super().get_queryset(request).annotate(notes=Count("labellings"))

    @admin.display(ordering="notes")
    def notes(self, label: Any) -> int:
        return label.notes


@admin.register(MembershipLabel)
class MembershipLabelAdmin(ReadOnlyAdmin):
    list_display = ("id", "label", "user", "note")
    list_select_related = ("label", "membership__user")
    search_fields = ("label__name", "membership__user__username")

    @admin.display(ordering="membership__user")
    def user(self, labelling: MembershipLabel) -> str:
        return str(labelling.membership.user)

    @admin.display(ordering="membership__note")
    def note(self, labelling: MembershipLabel) -> int:
        return labelling.membership.note_id


@admin.register(Reminder)
class ReminderAdmin(SendAgainAdmin):
    list_display = ("id", "user", "remind_at", "attempts", "failed_at", "error")
    list_filter = (JobStateFilter, "remind_at")
    list_select_related = ("membership__user",)
    search_fields = ("membership__user__username", "membership__user__email")

    @admin.display(ordering="membership__user")
    def user(self, reminder: Reminder) -> str:
        return str(reminder.membership.user)


@admin.register(NoteImport)
class NoteImportAdmin(ReadOnlyAdmin):
    list_display = (
        "id", "user", "name", "status", "total", "processed", "created", "updated", "duplicates", "rejected",
        "created_at",
    )  # fmt: skip
    list_filter = ("status", JobStateFilter, "created_at")
    list_select_related = ("user",)
    search_fields = ("name", "user__username", "user__email")
    date_hierarchy = "created_at"
