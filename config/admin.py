"""Base classes of the admin, and the admin pages of config and of third-party apps."""

import csv
from io import TextIOWrapper
from typing import Any, BinaryIO

import axes.admin
import django.contrib.auth.admin
import django_celery_results.admin
from axes.models import AccessAttempt, AccessFailureLog, AccessLog
from django.contrib import admin
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.contrib.admin.options import IncorrectLookupParameters
from django.contrib.auth.models import Group
from django.core.exceptions import BadRequest, ValidationError
from django.db import models, transaction
from django.http import FileResponse, HttpRequest
from django_celery_beat.admin import CrontabScheduleAdmin as BeatCrontabAdmin
from django_celery_beat.admin import PeriodicTaskAdmin as BeatPeriodicTaskAdmin
from django_celery_beat.admin import PeriodicTaskForm as BeatPeriodicTaskForm
from django_celery_beat.admin import TaskSelectWidget as BeatTaskSelectWidget
from django_celery_beat.models import ClockedSchedule, CrontabSchedule, IntervalSchedule, PeriodicTask, SolarSchedule
from django_celery_results.models import GroupResult, TaskResult
from unfold.admin import ModelAdmin as UnfoldModelAdmin
from unfold.contrib.filters.admin import RangeDateTimeFilter
from unfold.widgets import UnfoldAdminSelectWidget, UnfoldAdminTextInputWidget

from . import audit
from .audit.models import AuditQuerySet, AuditRecord
from .http.downloads import download
from .jobs.job import JobQuerySet
from .json import dumps
from .models import (
    Backup,
    CacheGeneration,
    DiscardedFile,
    DismissedJob,
    Figure,
    IdempotencyKey,
    OutgoingEvent,
    OutgoingMail,
)
from .sheets import escape_formula
from .webhooks import services
from .webhooks.models import Webhook, WebhookDelivery

MAX_RECORDED_IDS = 100  # of the rows of one action in the audit log


class ModelAdmin(UnfoldModelAdmin):
    """Base of all admin pages: 50 rows per page and one count query. Every action is recorded in the audit log."""

    list_per_page = 50
    show_full_result_count = False
    compressed_fields = True

    def get_changelist_instance(self, request: HttpRequest) -> Any:
        """Treat dates that cannot be represented like other invalid filters, instead of answering 500."""
        try:
            return super().get_changelist_instance(request)
        except (ValueError, OverflowError) as error:
            raise IncorrectLookupParameters from error

    def response_action(self, request: HttpRequest, queryset: Any) -> Any:
        """Answer 400 if a selected id is invalid; Django would answer 500."""
        try:
            for selected in request.POST.getlist(ACTION_CHECKBOX_NAME):
                self.opts.pk.get_prep_value(selected)
        except (ValueError, ValidationError) as error:
            raise BadRequest from error
        with transaction.atomic():
            response = super().response_action(request, queryset)
            action = request.POST.get("action", "")
            if response is not None and action != "delete_selected":  # log_deletions records those
                self.record_action(request, action, queryset)
        return response

    def record_action(self, request: HttpRequest, action: str, queryset: Any) -> None:
        """Record an action on several rows. Their IDs are those of the form, because the action may delete rows."""
        details: dict[str, Any] = {"model": self.opts.label_lower, "action": action}
        if request.POST.get("select_across") == "1":
            details["all_with"] = request.GET.urlencode()
        else:
            details["ids"] = request.POST.getlist(ACTION_CHECKBOX_NAME)[:MAX_RECORDED_IDS]
        audit.record("admin_action", details=details)

    def audit_user(self, row: Any) -> Any:
        """Return the user that a change of ``row`` is about; None for staff themselves."""
        return None

    def log_addition(self, request: HttpRequest, obj: Any, message: Any) -> Any:
        audit.record("admin_added", user=self.audit_user(obj), target=obj)
        return super().log_addition(request, obj, message)

    def log_change(self, request: HttpRequest, obj: Any, message: Any) -> Any:
        # The message has the names of the changed fields, never their values.
        audit.record("admin_changed", user=self.audit_user(obj), target=obj, details={"changes": message})
        return super().log_change(request, obj, message)

    def log_deletions(self, request: HttpRequest, queryset: Any) -> Any:
        ids = [str(row.pk) for row in queryset]  # a list of one row on the page of an object
        details = {"model": self.opts.label_lower, "ids": ids[:MAX_RECORDED_IDS], "count": len(ids)}
        audit.record("admin_deleted", details=details)
        return super().log_deletions(request, queryset)


class ReadOnlyAdmin(ModelAdmin):
    """Base for rows that only the service writes. The page also shows fields that are not editable."""

    def get_fields(self, request: HttpRequest, obj: models.Model | None = None) -> Any:
        if self.fields:
            return self.fields
        stored = [field.name for field in self.opts.fields if field.name not in (self.exclude or ())]
        return stored + [name for name in self.get_readonly_fields(request, obj) if name not in stored]

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: models.Model | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: models.Model | None = None) -> bool:
        return False


class SendAgainAdmin(ReadOnlyAdmin):
    """Base for jobs that send something: staff can send failed ones again."""

    actions = ("send_again",)

    def has_send_again_permission(self, request: HttpRequest) -> bool:
        return super(ReadOnlyAdmin, self).has_change_permission(request)  # permissions of the user, not of this page

    @admin.action(description="Send again", permissions=["send_again"])
    def send_again(self, request: HttpRequest, jobs: JobQuerySet) -> None:
        count = jobs.retry_failed()
        self.message_user(request, f"Failed rows that will be sent again: {count}. Other rows are unchanged.")


class JobStateFilter(admin.SimpleListFilter):
    """Filter jobs by state: waiting, done or failed."""

    title = "state"
    parameter_name = "state"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("waiting", "waiting"), ("done", "done"), ("failed", "failed")]

    def queryset(self, request: HttpRequest, queryset: Any) -> Any:
        match self.value():
            case "waiting":
                return queryset.filter(done_at=None, failed_at=None)
            case "done":
                return queryset.exclude(done_at=None)
            case "failed":
                return queryset.exclude(failed_at=None)
        return queryset


@admin.register(OutgoingMail)
class OutgoingMailAdmin(SendAgainAdmin):
    list_display = ("id", "to", "template", "created_at", "attempts", "done_at", "failed_at", "error")
    list_filter = (JobStateFilter, "template")
    search_fields = ("to",)
    exclude = ("context",)


@admin.register(Backup)
class BackupAdmin(ReadOnlyAdmin):
    list_display = ("id", "name", "created_at", "finished_at", "size", "rows", "verified_at", "deleted_at", "error")
    list_filter = (JobStateFilter,)


@admin.register(CacheGeneration)
class CacheGenerationAdmin(ReadOnlyAdmin):
    list_display = ("scope", "slot", "value")
    search_fields = ("scope",)


@admin.register(IdempotencyKey)
class IdempotencyKeyAdmin(ReadOnlyAdmin):
    list_display = ("id", "user", "endpoint", "status", "created_at")
    list_filter = ("status",)
    search_fields = ("endpoint", "user__username")
    fields = ("user", "endpoint", "key", "status", "created_at")


@admin.register(DiscardedFile)
class DiscardedFileAdmin(ReadOnlyAdmin):
    list_display = ("id", "key", "attempts", "due_at", "failed_at", "error")
    list_filter = (JobStateFilter,)
    search_fields = ("key",)


@admin.register(DismissedJob)
class DismissedJobAdmin(ReadOnlyAdmin):
    """Failed rows that staff discarded from the dashboard."""

    list_display = ("table", "row", "at")
    list_filter = ("table",)


@admin.register(Figure)
class FigureAdmin(ReadOnlyAdmin):
    """The daily figures of the dashboard."""

    list_display = ("day", "name", "value")
    list_filter = ("name",)


@admin.register(OutgoingEvent)
class OutgoingEventAdmin(ReadOnlyAdmin):
    """Rows older than a few seconds mean that Redis or the worker is down."""

    list_display = ("id", "kind", "created_at")
    list_filter = ("kind",)
    fields = ("kind", "created_at")


@admin.register(AuditRecord)
class AuditRecordAdmin(ReadOnlyAdmin):
    """Who did what. Nobody can change it; the CSV has the rows that are selected, or all that match the filters."""

    list_display = ("at", "kind", "actor", "user", "target", "ip", "request_id")
    list_filter = (("at", RangeDateTimeFilter), ("kind", admin.AllValuesFieldListFilter))
    list_filter_submit = True
    list_select_related = ("actor", "user")
    search_fields = ("actor__username", "user__username", "target", "ip", "=request_id", "credential")
    actions = ("export_csv",)

    @admin.action(description="Export as CSV", permissions=["view"])
    def export_csv(self, request: HttpRequest, records: AuditQuerySet) -> FileResponse:
        return download(
            lambda file: write_audit_csv(file, records), filename="audit.csv", content_type="text/csv; charset=utf-8"
        )


AUDIT_COLUMNS = (
    "id",
    "at",
    "kind",
    "actor",
    "user",
    "ip",
    "user_agent",
    "credential",
    "request_id",
    "target",
    "details",
)


def write_audit_csv(file: BinaryIO, records: AuditQuerySet) -> None:
    """Write ``records`` as CSV, with an apostrophe in front of what a spreadsheet program would run as a formula."""
    text = TextIOWrapper(file, encoding="utf-8", newline="")
    writer = csv.writer(text)
    writer.writerow(AUDIT_COLUMNS)
    rows = records.values_list(
        "id", "at", "kind", "actor__username", "user__username", "ip", "user_agent", "credential", "request_id",
        "target", "details",
    )  # fmt: skip
    for number, at, *texts, details in rows.iterator(2_000):
        cells = [*("" if each is None else str(each) for each in texts), dumps(details).decode() if details else ""]
        writer.writerow((number, at.isoformat(), *map(escape_formula, cells)))
    text.detach()


@admin.register(Webhook)
class WebhookAdmin(ReadOnlyAdmin):
    """Staff can switch a webhook off; only its owner can change it."""

    list_display = ("id", "owner", "url", "active", "failing_since", "disabled_reason", "is_slow")
    list_filter = ("active", "disabled_reason")
    search_fields = ("owner__username", "owner__email", "url")
    list_select_related = ("owner",)
    exclude = ("salt", "previous_salt")
    actions = ("switch_off",)

    def has_switch_off_permission(self, request: HttpRequest) -> bool:
        return super(ReadOnlyAdmin, self).has_change_permission(request)  # permissions of the user, not of this page

    @admin.action(description="Switch off", permissions=["switch_off"])
    def switch_off(self, request: HttpRequest, webhooks: models.QuerySet[Webhook]) -> None:
        for webhook in webhooks:
            services.update_webhook(webhook=webhook, active=False)
        self.message_user(request, f"Webhooks switched off: {len(webhooks)}.")


@admin.register(WebhookDelivery)
class WebhookDeliveryAdmin(SendAgainAdmin):
    """A failed delivery can be sent again if its webhook is on."""

    list_display = (
        "id",
        "webhook",
        "type",
        "created_at",
        "attempts",
        "response_status",
        "done_at",
        "failed_at",
        "error",
    )
    list_filter = (JobStateFilter, "kind")
    search_fields = ("webhook__owner__username", "webhook__url")
    list_select_related = ("webhook",)


# Importing these modules registers their pages, which are then replaced by the ones below. The tables without a page
# below are always empty: Atrium uses no such schedules, stores no results of tasks, and logs sign-ins elsewhere.
THIRD_PARTY = (axes.admin, django.contrib.auth.admin, django_celery_results.admin)
for model in (
    Group, PeriodicTask, IntervalSchedule, CrontabSchedule, SolarSchedule, ClockedSchedule, TaskResult, GroupResult,
    AccessAttempt, AccessFailureLog, AccessLog,
):  # fmt: skip
    if admin.site.is_registered(model):
        admin.site.unregister(model)


@admin.register(Group)
class GroupAdmin(ModelAdmin):
    search_fields = ("name",)
    filter_horizontal = ("permissions",)


class TaskSelectWidget(UnfoldAdminSelectWidget, BeatTaskSelectWidget):
    """Beat's choices, styled like the other fields."""


class PeriodicTaskForm(BeatPeriodicTaskForm):
    """Style the two fields that are not model fields; unstyled, they are invisible in unfold."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["regtask"].widget = TaskSelectWidget()
        self.fields["task"].widget = UnfoldAdminTextInputWidget()


@admin.register(PeriodicTask)
class PeriodicTaskAdmin(BeatPeriodicTaskAdmin, ModelAdmin):
    """Staff can change intervals and pause tasks; ``migrate`` keeps their changes."""

    form = PeriodicTaskForm


@admin.register(IntervalSchedule)
class IntervalScheduleAdmin(ModelAdmin):
    list_display = ("every", "period")


@admin.register(CrontabSchedule)
class CrontabScheduleAdmin(BeatCrontabAdmin, ModelAdmin):
    pass


@admin.register(AccessAttempt)
class AccessAttemptAdmin(ModelAdmin):
    """Delete a row to let that client try again at once."""

    list_display = ("attempt_time", "ip_address", "username", "failures_since_start")
    search_fields = ("ip_address", "username")
    readonly_fields = [field.name for field in AccessAttempt._meta.fields]
    exclude = ("get_data", "post_data")

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False
