from typing import Any

from drf_spectacular.utils import OpenApiExample, extend_schema_field, extend_schema_serializer
from rest_framework import serializers
from rest_framework.reverse import reverse

from config.api.choices import ChoiceField

from .files.columns import COLUMNS, FREE_TEXTS
from .models import Change, Impact, ImportRun, Readiness, RowError, Steepl, Trend

LISTED_ERRORS = 100  # of a run; errors.csv has all of them

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
    "mode": "add",
    "dry_run": False,
    "size": 11521,
    "sha256": "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
    "total_rows": 62,
    "created": 57,
    "updated": 0,
    "duplicates": 1,
    "rejected": 4,
    "error": "",
    "duplicate_of": None,
    "uploaded_by": "ada",
    "created_at": "2026-05-04T09:30:00Z",
    "finished_at": "2026-05-04T09:30:01Z",
    "links": {
        "self": "https://atrium.example.org/api/v1/trends/imports/12/",
        "errors": "https://atrium.example.org/api/v1/trends/imports/12/errors.csv",
        "original": "https://atrium.example.org/api/v1/trends/imports/12/original/",
    },
}
EXAMPLE_ERROR = {
    "line": 7,
    "column": "steepl",
    "value": "X",
    "code": "invalid_choice",
    "message": "“X” is not one of: S, T, E, P, L.",
}


@extend_schema_serializer(
    examples=[
        OpenApiExample("Create a trend", EXAMPLE, request_only=True),
        OpenApiExample("A trend", {"id": 7, **EXAMPLE, "uploaded_at": "2026-05-04T09:30:00Z"}, response_only=True),
    ]
)
class TrendSerializer(serializers.ModelSerializer):
    serializer_choice_field = ChoiceField

    class Meta:
        model = Trend
        fields = ("id", *COLUMNS, "uploaded_at")
        read_only_fields = ("uploaded_at",)
        # Imports store free texts unchanged, with white space at their ends; the API does the same.
        extra_kwargs = {name: {"trim_whitespace": False} for name in FREE_TEXTS} | {
            "technology_readiness_level": {"allow_null": True, "help_text": "Empty if unknown."},
            "total_count_of_publications": {"help_text": "Null if unknown."},
            "total_count_of_patents": {"help_text": "Null if unknown."},
        }

    def validate_technology_readiness_level(self, value: str | None) -> str:
        return value or ""


class TrendSummaryGroupSerializer(serializers.Serializer):
    megatrend = serializers.CharField()
    steepl = serializers.ChoiceField(Steepl.choices)
    impact_strength = serializers.ChoiceField(Impact.choices)
    technology_readiness_level = serializers.ChoiceField(Readiness.choices, allow_blank=True)
    count = serializers.IntegerField()
    publications = serializers.IntegerField(help_text="The sum; unknown counts are left out.")
    patents = serializers.IntegerField(help_text="The sum; unknown counts are left out.")


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
class TrendSummarySerializer(serializers.Serializer):
    count = serializers.IntegerField()
    publications = serializers.IntegerField()
    patents = serializers.IntegerField()
    groups = TrendSummaryGroupSerializer(many=True)


class RadarGroupSerializer(serializers.Serializer):
    megatrend = serializers.CharField()
    macrotrend = serializers.CharField()
    steepl = serializers.ChoiceField(Steepl.choices)
    technology_readiness_level = serializers.ChoiceField(Readiness.choices, allow_blank=True)
    impact_strength = serializers.ChoiceField(Impact.choices)
    trends = serializers.IntegerField(help_text="How many trends the group has.")
    publications = serializers.IntegerField(help_text="The sum; unknown counts are left out.")
    patents = serializers.IntegerField(help_text="The sum; unknown counts are left out.")


@extend_schema_serializer(
    examples=[
        OpenApiExample(
            "One group",
            {
                "groups": [
                    {
                        "megatrend": "Energy Transition", "macrotrend": "Smart grids", "steepl": "T",
                        "technology_readiness_level": "Pilot", "impact_strength": "High", "trends": 3,
                        "publications": 7100, "patents": 0,
                    }
                ],
                "total_groups": 1,
            },
            response_only=True,
        )
    ]
)  # fmt: skip
class RadarSerializer(serializers.Serializer):
    groups = RadarGroupSerializer(many=True)
    total_groups = serializers.IntegerField(help_text="The number of all groups, also of those left out.")


class TrendValuesSerializer(serializers.ModelSerializer):
    """The ten columns of a trend at some time."""

    serializer_choice_field = ChoiceField
    technology_readiness_level = serializers.ChoiceField(Readiness.choices, allow_blank=True)

    class Meta:
        model = Trend
        fields = COLUMNS
        read_only_fields = fields


class TrendChangeSerializer(serializers.Serializer):
    kind = serializers.ChoiceField(Change.Kind.choices)
    trend = serializers.IntegerField(source="trend_id", help_text="The id of the trend.")
    before = TrendValuesSerializer(allow_null=True, help_text="Null if the trend was created.")
    after = TrendValuesSerializer(allow_null=True, help_text="Null if the trend was deleted.")
    at = serializers.DateTimeField()


@extend_schema_serializer(
    examples=[
        OpenApiExample(
            "One change",
            {
                "results": [
                    {
                        "kind": "updated", "trend": 7, "before": {**EXAMPLE, "total_count_of_publications": 4800},
                        "after": EXAMPLE, "at": "2026-05-04T09:30:00.000012Z",
                    }
                ],
                "until": "2026-05-04T09:30:00.000012Z",
            },
            response_only=True,
        )
    ]
)  # fmt: skip
class TrendChangesSerializer(serializers.Serializer):
    results = TrendChangeSerializer(many=True)
    until = serializers.DateTimeField(help_text="The next `since`.")


@extend_schema_serializer(
    examples=[
        OpenApiExample(
            "Present values",
            {"values": EXAMPLE, "at": "2026-05-04T09:30:00Z", "import": 12},
            response_only=True,
        )
    ]
)
class TrendHistorySerializer(serializers.Serializer):
    """Values of a trend, and when they were stored by which import."""

    values = TrendValuesSerializer(source="before")
    at = serializers.DateTimeField(source="before_at", help_text="When these values were stored.")

    def get_fields(self) -> dict[str, Any]:
        """Add ``import``, which is a keyword in Python."""
        text = "The import that stored them; null for an edit."
        return {
            **super().get_fields(),
            "import": serializers.IntegerField(source="before_run_id", allow_null=True, help_text=text),
        }


class RowErrorSerializer(serializers.ModelSerializer):
    class Meta:
        model = RowError
        fields = ("line", "column", "value", "code", "message")


class ImportRunLinksSerializer(serializers.Serializer):
    self = serializers.URLField()
    errors = serializers.URLField()
    original = serializers.URLField()


@extend_schema_serializer(examples=[OpenApiExample("An import run", EXAMPLE_RUN, response_only=True)])
class ImportRunSerializer(serializers.ModelSerializer):
    dry_run = serializers.SerializerMethodField(help_text="True if nothing was stored; then `id` is null.")
    uploaded_by = serializers.CharField(source="uploaded_by.username", default=None, allow_null=True, read_only=True)
    duplicate_of = serializers.IntegerField(
        source="duplicate_of_id", allow_null=True, read_only=True, help_text="The first import of the same file."
    )
    id = serializers.IntegerField(allow_null=True, read_only=True)
    created_at = serializers.DateTimeField(allow_null=True, read_only=True)
    finished_at = serializers.DateTimeField(allow_null=True, read_only=True)
    links = serializers.SerializerMethodField()

    class Meta:
        model = ImportRun
        fields = (
            "id", "name", "origin", "status", "mode", "dry_run", "size", "sha256", "total_rows", "created", "updated",
            "duplicates", "rejected", "error", "duplicate_of", "uploaded_by", "created_at", "finished_at", "links",
        )  # fmt: skip
        read_only_fields = fields

    def get_dry_run(self, run: Any) -> bool:
        return run.pk is None

    @extend_schema_field(ImportRunLinksSerializer(allow_null=True))
    def get_links(self, run: Any) -> dict[str, str] | None:
        if run.id is None:
            return None
        request = self.context.get("request")
        return {
            "self": reverse("trend-import", args=[run.id], request=request),
            "errors": reverse("trend-import-errors", args=[run.id], request=request),
            "original": reverse("trend-import-original", args=[run.id], request=request),
        }


@extend_schema_serializer(
    examples=[OpenApiExample("An import report", {**EXAMPLE_RUN, "errors": [EXAMPLE_ERROR]}, response_only=True)]
)
class ImportReportSerializer(ImportRunSerializer):
    """An import run with its first row errors."""

    errors = serializers.SerializerMethodField(help_text=f"The first {LISTED_ERRORS}; `errors.csv` has all of them.")

    class Meta(ImportRunSerializer.Meta):
        fields = (*ImportRunSerializer.Meta.fields, "errors")
        read_only_fields = fields

    @extend_schema_field(RowErrorSerializer(many=True))
    def get_errors(self, run: Any) -> list[dict[str, Any]]:
        row_errors = run.row_errors.all() if isinstance(run, ImportRun) else run.row_errors
        return RowErrorSerializer(row_errors[:LISTED_ERRORS], many=True).data


class DryRunSerializer(serializers.Serializer):
    """The query parameters of an import."""

    dry_run = serializers.BooleanField(default=False, help_text="Report what an import would do and store nothing.")
    mode = ChoiceField(
        choices=ImportRun.Mode.choices,
        required=False,
        help_text="`add` (the default) stores new rows. `update` also updates the trends that differ only in counts, "
        "readiness or impact.",
    )


class NewImportRunSerializer(DryRunSerializer):
    file = serializers.FileField(help_text="A CSV file. Columns are matched by name.")
