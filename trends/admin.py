from typing import Any

from django import forms
from django.contrib import admin, messages
from django.core.files.base import ContentFile
from django.http import HttpRequest, HttpResponseBase, HttpResponseRedirect
from django.urls import reverse
from django.utils.html import format_html, format_html_join
from import_export.admin import ImportExportMixin
from import_export.formats import base_formats
from import_export.resources import ModelResource
from import_export.results import Result
from unfold.contrib.filters.admin import RangeNumericFilter
from unfold.contrib.import_export.forms import ExportForm
from unfold.decorators import display

from config.admin import ModelAdmin, ReadOnlyAdmin
from config.jobs.job import Status

from .files import downloads
from .files.columns import COLUMNS, FREE_TEXTS
from .files.exports import FORMATS
from .files.import_export import ConfirmForm, CSVFile, ImportForm, PreviewStorage
from .models import Change, ImportRun, InboxFile, Revision, RowError, Trend
from .services import editing, imports
from .services.updating import UPDATED

LISTED_ERRORS = 50
LISTED_TRENDS = 50  # created and updated ones of a preview


def _text(value: Any) -> str:
    return "unknown" if value in (None, "") else str(value)


class ImportResult(Result):
    """What the library's views need to know of an import. ``report`` is set by a dry run, ``run`` by an import."""

    def __init__(self, *, report: imports.DryRun | None = None, run: ImportRun | None = None) -> None:
        super().__init__()
        self.report = report
        self.run = run

    @property
    def updated_trends(self) -> list[dict[str, Any]]:
        """The updated trends of a preview with the old and new text of each column that an update changes."""
        return [
            {
                "megatrend": trend.values["megatrend"],
                "macrotrend": trend.values["macrotrend"],
                "merged": trend.merged,
                "columns": [
                    {"old": _text(trend.before[name]), "new": _text(trend.values[name]),
                     "is_changed": trend.before[name] != trend.values[name]}
                    for name in UPDATED
                ],
            }
            for trend in (self.report.updated_trends if self.report else ())
        ]  # fmt: skip

    def has_errors(self) -> bool:
        return bool(self.report and self.report.error)


class TrendResource(ModelResource):
    """Imports a file with the app's own services instead of row by row."""

    class Meta:
        model = Trend
        fields = COLUMNS

    def import_data(self, dataset: ContentFile, dry_run: bool = False, **kwargs: Any) -> ImportResult:
        dataset.name = kwargs.get("file_name") or dataset.name
        if dry_run:
            return ImportResult(report=imports.check_file(file=dataset, mode=kwargs["mode"], listed=LISTED_TRENDS))
        run = imports.start_import(
            file=dataset,
            key=imports.new_file_key(),
            origin=ImportRun.Origin.ADMIN,
            by=kwargs.get("user"),
            mode=kwargs["mode"],
        )
        return ImportResult(run=run)


class TrendForm(forms.ModelForm):
    """Free texts keep their white space, and line breaks that only the browser has changed are not an edit."""

    class Meta:
        model = Trend
        fields = COLUMNS

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for name in FREE_TEXTS:
            if name in self.fields:
                self.fields[name].strip = False

    def _get_validation_exclusions(self) -> set[str]:
        """Check the unique fingerprint although it is not a field of the form."""
        return super()._get_validation_exclusions() - {"fingerprint"}

    def clean(self) -> dict[str, Any] | None:
        cleaned = super().clean() or {}
        for name in FREE_TEXTS:
            if cleaned.get(name):
                text, before = cleaned[name].replace("\r\n", "\n"), getattr(self.instance, name)
                cleaned[name] = before if before.replace("\r\n", "\n") == text else text
        return cleaned


@admin.register(Trend)
class TrendAdmin(ImportExportMixin, ModelAdmin):
    form = TrendForm
    list_display = ("megatrend", "macrotrend", "steepl", "impact_strength", "technology_readiness_level",
                    "total_count_of_publications", "total_count_of_patents", "uploaded_at")  # fmt: skip
    list_filter = (
        "steepl", "impact_strength", "technology_readiness_level",
        ("total_count_of_publications", RangeNumericFilter), ("total_count_of_patents", RangeNumericFilter),
        "uploaded_at",
    )  # fmt: skip
    list_filter_submit = True
    search_fields = ("megatrend",)  # shows the search box; get_search_results searches every text
    search_help_text = "Finds trends that contain every word; case and accents do not matter."
    readonly_fields = ("uploaded_at", "run")
    fields = (*COLUMNS, "uploaded_at", "run")
    resource_classes = [TrendResource]
    import_form_class = ImportForm
    confirm_form_class = ConfirmForm
    export_form_class = ExportForm
    import_formats = [CSVFile]
    export_formats = [base_formats.CSV, base_formats.XLSX, base_formats.JSON]
    import_template_name = "trends/admin_import.html"
    tmp_storage_class = PreviewStorage

    def get_search_results(self, request: HttpRequest, queryset: Any, search_term: str) -> tuple[Any, bool]:
        return queryset.matching(search_term), False

    def save_model(self, request: HttpRequest, obj: Trend, form: Any, change: bool) -> None:
        editing.save_trend(trend=obj, changed=form.changed_data if change else None)

    def delete_model(self, request: HttpRequest, obj: Trend) -> None:
        editing.delete_trends(trends=Trend.objects.filter(pk=obj.pk))

    def delete_queryset(self, request: HttpRequest, queryset: Any) -> None:
        editing.delete_trends(trends=queryset)

    def has_import_permission(self, request: HttpRequest) -> bool:
        return self.has_add_permission(request)

    def has_export_permission(self, request: HttpRequest) -> bool:
        return self.has_view_permission(request)

    def get_confirm_form_initial(self, request: HttpRequest, import_form: Any) -> dict[str, Any]:
        initial: dict[str, Any] = super().get_confirm_form_initial(request, import_form)
        return initial | ({"mode": import_form.cleaned_data["mode"]} if import_form else {})

    def get_import_data_kwargs(self, **kwargs: Any) -> dict[str, Any]:
        data_kwargs: dict[str, Any] = super().get_import_data_kwargs(**kwargs)
        return {**data_kwargs, "mode": kwargs["form"].cleaned_data["mode"]}

    def process_import(self, request: HttpRequest, **kwargs: Any) -> HttpResponseBase:
        if PreviewStorage(name=request.POST.get("import_file_name")).read() is None:
            messages.error(request, "The preview has expired. Choose the file again.")
            return HttpResponseRedirect(reverse("admin:trends_trend_import"))
        return super().process_import(request, **kwargs)

    def process_result(self, result: Any, request: HttpRequest) -> HttpResponseRedirect:
        # Django's own: the service has already recorded the import in the audit log.
        admin.ModelAdmin.log_change(self, request, result.run, "Started an import.")
        messages.success(request, f"{result.run.name} is being imported. Reload this page to see its counts.")
        return HttpResponseRedirect(reverse("admin:trends_importrun_change", args=[result.run.pk]))

    def _do_file_export(
        self, file_format: Any, request: HttpRequest, queryset: Any, export_form: Any = None
    ) -> HttpResponseBase:
        return downloads.export(FORMATS[file_format.get_extension()], queryset)


@admin.register(ImportRun)
class ImportRunAdmin(ReadOnlyAdmin):
    list_display = ("id", "name", "origin", "mode", "status_label", "total_rows", "created", "updated", "duplicates",
                    "rejected", "created_at", "finished_at")  # fmt: skip
    list_display_links = ("id", "name")
    list_filter = ("status", "origin", "created_at")
    search_fields = ("name", "sha256")
    list_select_related = ("uploaded_by",)
    fields = ("name", "origin", "mode", "status_label", "error", "downloads", "total_rows", "created", "updated",
              "duplicates", "rejected",
              "first_errors", "size", "sha256", "duplicate_of", "backup", "quarantine", "uploaded_by", "attempts",
              "created_at", "finished_at")  # fmt: skip
    readonly_fields = ("status_label", "downloads", "first_errors")

    @display(
        description="status",
        ordering="status",
        label={"completed": "success", "completed with errors": "warning", "failed": "danger", "processing": "info"},
    )
    def status_label(self, run: ImportRun) -> str:
        return str(Status(run.status).label)

    @admin.display(description="downloads")
    def downloads(self, run: ImportRun) -> str:
        return format_html(
            '<a href="{}" class="text-primary-600 underline">Original file</a> &nbsp; '
            '<a href="{}" class="text-primary-600 underline">Row errors</a>',
            reverse("trend-import-original", args=[run.pk]),
            reverse("trend-import-errors", args=[run.pk]),
        )

    @admin.display(description="first row errors")
    def first_errors(self, run: ImportRun) -> str:
        row_errors = run.row_errors.all()[:LISTED_ERRORS]
        return format_html_join("", "<div>{}</div>", ((error,) for error in row_errors)) or "none"


@admin.register(RowError)
class RowErrorAdmin(ReadOnlyAdmin):
    list_display = ("run", "line", "column", "value", "message")
    list_filter = ("code", "column")
    list_select_related = ("run",)
    search_fields = ("run__name",)


@admin.register(Revision)
class RevisionAdmin(ReadOnlyAdmin):
    list_display = ("id", "at", "run")
    list_select_related = ("run",)
    search_fields = ("run__name",)


@admin.register(Change)
class ChangeAdmin(ReadOnlyAdmin):
    list_display = ("id", "kind", "trend_id", "before_at", "before_run")
    list_filter = ("kind",)
    list_select_related = ("before_run",)
    search_fields = ("=trend_id",)


@admin.register(InboxFile)
class InboxFileAdmin(ReadOnlyAdmin):
    list_display = ("name", "seen_at")
    search_fields = ("name",)
