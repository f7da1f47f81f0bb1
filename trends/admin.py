from typing import Any

from django import forms
from django.contrib import admin, messages
from django.http import HttpRequest, HttpResponseBase, HttpResponseRedirect
from django.urls import reverse
from django.utils.html import format_html, format_html_join
from import_export.admin import ImportExportMixin
from import_export.formats import base_formats
from unfold.contrib.filters.admin import RangeNumericFilter
from unfold.contrib.import_export.forms import ExportForm
from unfold.decorators import display

from config.admin import ModelAdmin, ReadOnlyAdmin

from . import downloads, services
from .admin_files import CSVFile, ImportForm, Preview, TrendResource
from .columns import COLUMNS, FREE_TEXTS
from .exports import FORMATS
from .models import ImportRun, RowError, Trend

SHOWN_ERRORS = 50


class TrendForm(forms.ModelForm):
    """Free texts keep the white space they came with; the line breaks that a browser sends are not a change."""

    class Meta:
        model = Trend
        fields = COLUMNS

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for name in FREE_TEXTS:
            if name in self.fields:
                self.fields[name].strip = False

    def _get_validation_exclusions(self) -> set[str]:
        """The fingerprint is no field of the form, but whether it is there already is asked all the same."""
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
    search_fields = ("megatrend",)  # shows the box; get_search_results looks into every text
    search_help_text = "Every word stands somewhere in the texts; neither case nor accents matter."
    readonly_fields = ("uploaded_at", "run")
    fields = (*COLUMNS, "uploaded_at", "run")
    resource_classes = [TrendResource]
    import_form_class = ImportForm
    export_form_class = ExportForm
    import_formats = [CSVFile]
    export_formats = [base_formats.CSV, base_formats.XLSX, base_formats.JSON]
    import_template_name = "trends/admin_import.html"
    tmp_storage_class = Preview

    def get_search_results(self, request: HttpRequest, queryset: Any, search_term: str) -> tuple[Any, bool]:
        return queryset.matching(search_term), False

    def save_model(self, request: HttpRequest, obj: Trend, form: Any, change: bool) -> None:
        services.store_trend(trend=obj, changed=form.changed_data if change else None)

    def delete_model(self, request: HttpRequest, obj: Trend) -> None:
        services.delete_trends(trends=Trend.objects.filter(pk=obj.pk))

    def delete_queryset(self, request: HttpRequest, queryset: Any) -> None:
        services.delete_trends(trends=queryset)

    def has_import_permission(self, request: HttpRequest) -> bool:
        return self.has_add_permission(request)

    def has_export_permission(self, request: HttpRequest) -> bool:
        return self.has_view_permission(request)

    def process_import(self, request: HttpRequest, **kwargs: Any) -> HttpResponseBase:
        if Preview(name=request.POST.get("import_file_name")).read() is None:
            messages.error(request, "The preview has expired. Choose the file again.")
            return HttpResponseRedirect(reverse("admin:trends_trend_import"))
        return super().process_import(request, **kwargs)

    def process_result(self, result: Any, request: HttpRequest) -> HttpResponseRedirect:
        self.log_change(request, result.run, "Handed in by the admin's import.")
        messages.success(request, f"{result.run.name} is being imported. Reload this page for its counts.")
        return HttpResponseRedirect(reverse("admin:trends_importrun_change", args=[result.run.pk]))

    def _do_file_export(
        self, file_format: Any, request: HttpRequest, queryset: Any, export_form: Any = None
    ) -> HttpResponseBase:
        chosen = FORMATS[file_format.get_extension()]
        return downloads.stream(chosen.stream(queryset), chosen.filename, chosen.content_type)


@admin.register(ImportRun)
class ImportRunAdmin(ReadOnlyAdmin):
    list_display = ("id", "name", "origin", "shown_status", "total_rows", "created", "duplicates", "rejected",
                    "created_at", "finished_at")  # fmt: skip
    list_display_links = ("id", "name")
    list_filter = ("status", "origin", "created_at")
    search_fields = ("name", "sha256")
    list_select_related = ("uploaded_by",)
    fields = ("name", "origin", "shown_status", "error", "downloads", "total_rows", "created", "duplicates", "rejected",
              "first_problems", "size", "sha256", "duplicate_of", "backup", "quarantine", "uploaded_by", "attempts",
              "created_at", "finished_at")  # fmt: skip
    readonly_fields = ("shown_status", "downloads", "first_problems")

    @display(
        description="status",
        ordering="status",
        label={"completed": "success", "completed with errors": "warning", "failed": "danger", "processing": "info"},
    )
    def shown_status(self, run: ImportRun) -> str:
        return str(ImportRun.Status(run.status).label)

    @admin.display(description="downloads")
    def downloads(self, run: ImportRun) -> str:
        return format_html(
            '<a href="{}" class="text-primary-600 underline">the file</a> &nbsp; '
            '<a href="{}" class="text-primary-600 underline">its row errors</a>',
            reverse("trend-import-original", args=[run.pk]),
            reverse("trend-import-errors", args=[run.pk]),
        )

    @admin.display(description="first problems")
    def first_problems(self, run: ImportRun) -> str:
        problems = run.row_errors.all()[:SHOWN_ERRORS]
        return format_html_join("", "<div>{}</div>", ((problem,) for problem in problems)) or "none"


@admin.register(RowError)
class RowErrorAdmin(ReadOnlyAdmin):
    list_display = ("run", "line", "column", "value", "message")
    list_filter = ("code", "column")
    list_select_related = ("run",)
    search_fields = ("run__name",)
