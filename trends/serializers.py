from typing import Any

from drf_spectacular.utils import OpenApiExample, extend_schema_field, extend_schema_serializer
from rest_framework import serializers
from rest_framework.reverse import reverse

from config.choices import ChoiceField

from .columns import COLUMNS, FREE_TEXTS
from .models import Impact, ImportRun, Readiness, RowError, Steepl, Trend

SHOWN_ERRORS = 100  # of a run; all of them are in its errors.csv

EXAMPLE = {
    "megatrend": "Energy Transition",
    "macrotrend": "Smart grids",
    "challenges_and_research_gaps": "Standards lag behind deployment.",
    "total_count_of_publications": 5200,
    "total_count_of_patents": None,
    "technology_readiness_level": "Pilot",
    "impact_strength": "High",
    "steepl": "T",
    "relevant_industries": "Energy, Utilities",
    "real_world_application_and_use_cases": "Fleet routing in real time",
}
EXAMPLE_RUN = {
    "id": 12,
    "name": "trends_2026.csv",
    "origin": "upload",
    "status": "completed_with_errors",
    "dry_run": False,
    "size": 11521,
    "sha256": "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
    "total_rows": 62,
    "created": 57,
    "duplicates": 1,
    "rejected": 4,
    "error": "",
    "duplicate_of": None,
    "uploaded_by": "ada",
    "created_at": "2026-05-04T09:30:00Z",
    "finished_at": "2026-05-04T09:30:01Z",
    "links": {"self": "https://atrium.example.org/api/v1/trends/imports/12/"},
}


@extend_schema_serializer(
    examples=[
        OpenApiExample("A trend to store", EXAMPLE, request_only=True),
        OpenApiExample("A trend", {"id": 7, **EXAMPLE, "uploaded_at": "2026-05-04T09:30:00Z"}, response_only=True),
    ]
)
class TrendSerializer(serializers.ModelSerializer):
    serializer_choice_field = ChoiceField

    class Meta:
        model = Trend
        fields = ("id", *COLUMNS, "uploaded_at")
        read_only_fields = ("uploaded_at",)
        # Free texts are kept as they came, white space at their ends too: a file is imported the same way.
        extra_kwargs = {name: {"trim_whitespace": False} for name in FREE_TEXTS} | {
            "technology_readiness_level": {"allow_null": True, "help_text": "Empty where it is not known."},
            "total_count_of_publications": {"help_text": "Null where it is not known."},
            "total_count_of_patents": {"help_text": "Null where it is not known."},
        }

    def validate_technology_readiness_level(self, value: str | None) -> str:
        return value or ""


class SummaryGroupSerializer(serializers.Serializer):
    megatrend = serializers.CharField()
    steepl = serializers.ChoiceField(Steepl.choices)
    impact_strength = serializers.ChoiceField(Impact.choices)
    technology_readiness_level = serializers.ChoiceField(Readiness.choices, allow_blank=True)
    count = serializers.IntegerField()
    publications = serializers.IntegerField(help_text="The sum; unknown counts add nothing.")
    patents = serializers.IntegerField(help_text="The sum; unknown counts add nothing.")


@extend_schema_serializer(
    examples=[
        OpenApiExample(
            "Two groups",
            {
                "count": 5,
                "publications": 7100,
                "patents": 340,
                "groups": [
                    {
                        "megatrend": "Energy Transition", "steepl": "T", "impact_strength": "High",
                        "technology_readiness_level": "Pilot", "count": 3, "publications": 7100, "patents": 0,
                    },
                    {
                        "megatrend": "Energy Transition", "steepl": "L", "impact_strength": "Low",
                        "technology_readiness_level": "", "count": 2, "publications": 0, "patents": 340,
                    },
                ],
            },
            response_only=True,
        )
    ]
)  # fmt: skip
class SummarySerializer(serializers.Serializer):
    count = serializers.IntegerField()
    publications = serializers.IntegerField()
    patents = serializers.IntegerField()
    groups = SummaryGroupSerializer(many=True)


class RowErrorSerializer(serializers.ModelSerializer):
    class Meta:
        model = RowError
        fields = ("line", "column", "value", "code", "message")


class LinksSerializer(serializers.Serializer):
    self = serializers.URLField()
    errors = serializers.URLField()
    original = serializers.URLField()


@extend_schema_serializer(examples=[OpenApiExample("A run", EXAMPLE_RUN, response_only=True)])
class ImportRunSerializer(serializers.ModelSerializer):
    dry_run = serializers.SerializerMethodField(help_text="Whether nothing was stored; `id` is null then.")
    uploaded_by = serializers.CharField(source="uploaded_by.username", default=None, allow_null=True, read_only=True)
    duplicate_of = serializers.IntegerField(
        source="duplicate_of_id", allow_null=True, read_only=True, help_text="The first run of the same bytes."
    )
    id = serializers.IntegerField(allow_null=True, read_only=True)
    created_at = serializers.DateTimeField(allow_null=True, read_only=True)
    finished_at = serializers.DateTimeField(allow_null=True, read_only=True)
    links = serializers.SerializerMethodField()

    class Meta:
        model = ImportRun
        fields = (
            "id", "name", "origin", "status", "dry_run", "size", "sha256", "total_rows", "created", "duplicates",
            "rejected", "error", "duplicate_of", "uploaded_by", "created_at", "finished_at", "links",
        )  # fmt: skip
        read_only_fields = fields

    def get_dry_run(self, run: Any) -> bool:
        return run.pk is None if isinstance(run, ImportRun) else run.dry_run

    @extend_schema_field(LinksSerializer(allow_null=True))
    def get_links(self, run: Any) -> dict[str, str] | None:
        if run.id is None:
            return None
        request = self.context.get("request")
        return {
            "self": reverse("trend-import", args=[run.id], request=request),
            "errors": reverse("trend-import-errors", args=[run.id], request=request),
            "original": reverse("trend-import-original", args=[run.id], request=request),
        }


class ImportReportSerializer(ImportRunSerializer):
    """A run with the first of its row errors."""

    errors = serializers.SerializerMethodField(help_text=f"The first {SHOWN_ERRORS}; all are in `errors.csv`.")

    class Meta(ImportRunSerializer.Meta):
        fields = (*ImportRunSerializer.Meta.fields, "errors")
        read_only_fields = fields

    @extend_schema_field(RowErrorSerializer(many=True))
    def get_errors(self, run: Any) -> list[dict[str, Any]]:
        problems = run.row_errors.all() if isinstance(run, ImportRun) else run.problems
        return RowErrorSerializer(problems[:SHOWN_ERRORS], many=True).data


class ImportRequestSerializer(serializers.Serializer):
    file = serializers.FileField(help_text="A CSV file; the columns are found by their names.")
    dry_run = serializers.BooleanField(default=False, help_text="Report what an import would do, and store nothing.")
