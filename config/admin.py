"""The admin's look and its rules: every table is there, and what hands would break is read-only."""

from typing import Any

import axes.admin
import django.contrib.auth.admin
import django_celery_results.admin
from axes.models import AccessAttempt, AccessFailureLog, AccessLog
from django.contrib import admin
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.contrib.admin.options import IncorrectLookupParameters
from django.contrib.auth.models import Group
from django.core.exceptions import BadRequest, ValidationError
from django.db import models
from django.http import HttpRequest
from django_celery_beat.admin import ClockedScheduleAdmin as BeatClockedAdmin
from django_celery_beat.admin import CrontabScheduleAdmin as BeatCrontabAdmin
from django_celery_beat.admin import PeriodicTaskAdmin as BeatPeriodicTaskAdmin
from django_celery_beat.admin import PeriodicTaskForm as BeatPeriodicTaskForm
from django_celery_beat.admin import TaskSelectWidget as BeatTaskSelectWidget
from django_celery_beat.models import ClockedSchedule, CrontabSchedule, IntervalSchedule, PeriodicTask, SolarSchedule
from django_celery_results.models import GroupResult, TaskResult
from unfold.admin import ModelAdmin as UnfoldModelAdmin
from unfold.widgets import UnfoldAdminSelectWidget, UnfoldAdminTextInputWidget

from .claims import JobQuerySet
from .models import CacheGeneration, DiscardedFile, IdempotencyKey, OutgoingEvent, OutgoingMail


class ModelAdmin(UnfoldModelAdmin):
    """Lists of fifty, counted once."""

    list_per_page = 50
    show_full_result_count = False
    compressed_fields = True

    def get_changelist_instance(self, request: HttpRequest) -> Any:
        """Django leads wrong filters back to the whole list, but fails for the year 9999 or for one that is none."""
        try:
            return super().get_changelist_instance(request)
        except (ValueError, OverflowError) as error:
            raise IncorrectLookupParameters from error

    def response_action(self, request: HttpRequest, queryset: Any) -> Any:
        """Django takes the ids of the ticked rows as they come; one that is none, which no page sends, is 400."""
        try:
            for ticked in request.POST.getlist(ACTION_CHECKBOX_NAME):
                self.opts.pk.get_prep_value(ticked)
        except (ValueError, ValidationError) as error:
            raise BadRequest from error
        return super().response_action(request, queryset)


class ReadOnlyAdmin(ModelAdmin):
    """For rows that the service writes: to look at, not to touch. A page shows what no form would have, too."""

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
    """For jobs that send something, in one commit with their end: those that failed can be sent after all."""

    actions = ("send_again",)

    def has_send_again_permission(self, request: HttpRequest) -> bool:
        return super(ReadOnlyAdmin, self).has_change_permission(request)  # by rights alone

    @admin.action(description="Send again", permissions=["send_again"])
    def send_again(self, request: HttpRequest, jobs: JobQuerySet) -> None:
        number = jobs.revive()
        self.message_user(request, f"{number} will be sent again within seconds; what has not failed is left alone.")


class JobStateFilter(admin.SimpleListFilter):
    """Rows of config.claims.Job by what became of them."""

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


@admin.register(CacheGeneration)
class CacheGenerationAdmin(ReadOnlyAdmin):
    list_display = ("scope", "value")
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


@admin.register(OutgoingEvent)
class OutgoingEventAdmin(ReadOnlyAdmin):
    """Rows older than a few seconds mean that Redis is away, or no worker is there."""

    list_display = ("id", "kind", "created_at")
    list_filter = ("kind",)
    fields = ("kind", "created_at")


# Their own admin modules are loaded by now, whatever the order of the apps; what they registered gives way to this.
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
    """Beat's own choices in the look of the other fields."""


class PeriodicTaskForm(BeatPeriodicTaskForm):
    """Its two fields are not the model's, so that nobody else gives them a look: they could not be seen."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["regtask"].widget = TaskSelectWidget()
        self.fields["task"].widget = UnfoldAdminTextInputWidget()


@admin.register(PeriodicTask)
class PeriodicTaskAdmin(BeatPeriodicTaskAdmin, ModelAdmin):
    """Intervals may be changed and tasks paused here; a migrate leaves that alone."""

    form = PeriodicTaskForm


@admin.register(IntervalSchedule)
class IntervalScheduleAdmin(ModelAdmin):
    list_display = ("every", "period")


@admin.register(CrontabSchedule)
class CrontabScheduleAdmin(BeatCrontabAdmin, ModelAdmin):
    pass


@admin.register(ClockedSchedule)
class ClockedScheduleAdmin(BeatClockedAdmin, ModelAdmin):
    pass


@admin.register(SolarSchedule)
class SolarScheduleAdmin(ModelAdmin):
    list_display = ("event", "latitude", "longitude")


@admin.register(TaskResult)
class TaskResultAdmin(ReadOnlyAdmin):
    list_display = ("task_id", "task_name", "status", "date_created", "date_done", "worker")
    list_filter = ("status", "task_name", "date_done")
    search_fields = ("task_id", "task_name")
    date_hierarchy = "date_done"


@admin.register(GroupResult)
class GroupResultAdmin(ReadOnlyAdmin):
    list_display = ("group_id", "date_done")
    search_fields = ("group_id",)


@admin.register(AccessAttempt)
class AccessAttemptAdmin(ModelAdmin):
    """Deleting a row here lets that client try again at once."""

    list_display = ("attempt_time", "ip_address", "username", "failures_since_start")
    search_fields = ("ip_address", "username")
    readonly_fields = [field.name for field in AccessAttempt._meta.fields]
    exclude = ("get_data", "post_data")

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False


@admin.register(AccessFailureLog)
class AccessFailureLogAdmin(ReadOnlyAdmin):
    list_display = ("attempt_time", "ip_address", "username", "locked_out")
    search_fields = ("ip_address", "username")


@admin.register(AccessLog)
class AccessLogAdmin(ReadOnlyAdmin):
    list_display = ("attempt_time", "ip_address", "username", "logout_time")
    search_fields = ("ip_address", "username")
