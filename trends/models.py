"""Trends, and the runs that import them."""

import uuid
from typing import Any, ClassVar

from django.conf import settings
from django.core.validators import MaxLengthValidator, MaxValueValidator
from django.db import models
from django.db.models import Case, F, Func, GeneratedField, Q, Value, When
from django.db.models.functions import Cast, Coalesce, Now, Upper

from config.claims import Job, pending

from .querysets import ImportRunQuerySet, TrendQuerySet, search_index

MAX_COUNT = 2_147_483_647
MAX_TEXT = 32_767  # characters: what a cell of a workbook holds, so that every trend can be exported


class Readiness(models.TextChoices):
    PILOT = "Pilot"
    DEVELOPMENT = "Development"
    DEPLOY = "Deploy"


class Impact(models.TextChoices):
    LOW = "Low"
    MEDIUM = "Medium"
    HIGH = "High"


class Steepl(models.TextChoices):
    SOCIAL = "S", "Social"
    TECHNOLOGICAL = "T", "Technological"
    ECONOMIC = "E", "Economic or environmental"
    POLITICAL = "P", "Political"
    LEGAL = "L", "Legal"


class Trend(models.Model):
    """One row of a trend table. No two trends are equal in all ten columns."""

    megatrend = models.CharField(max_length=150)
    macrotrend = models.CharField(max_length=200)
    challenges_and_research_gaps = models.TextField(blank=True, validators=[MaxLengthValidator(MAX_TEXT)])
    total_count_of_publications = models.PositiveIntegerField(
        "publications", null=True, blank=True, validators=[MaxValueValidator(MAX_COUNT)]
    )
    total_count_of_patents = models.PositiveIntegerField(
        "patents", null=True, blank=True, validators=[MaxValueValidator(MAX_COUNT)]
    )
    technology_readiness_level = models.CharField("readiness", max_length=20, choices=Readiness, blank=True)
    impact_strength = models.CharField("impact", max_length=10, choices=Impact)
    steepl = models.CharField("STEEPL", max_length=1, choices=Steepl)
    relevant_industries = models.TextField(blank=True, validators=[MaxLengthValidator(MAX_TEXT)])
    real_world_application_and_use_cases = models.TextField(blank=True, validators=[MaxLengthValidator(MAX_TEXT)])
    uploaded_at = models.DateTimeField(db_default=Now(), editable=False)
    run = models.ForeignKey(
        "ImportRun", models.SET_NULL, null=True, blank=True, editable=False, related_name="trends", db_index=False
    )
    fingerprint = GeneratedField(
        expression=Func(
            *("megatrend", "macrotrend", "challenges_and_research_gaps"),
            Cast("total_count_of_publications", models.TextField()),
            Cast("total_count_of_patents", models.TextField()),
            *("technology_readiness_level", "impact_strength", "steepl"),
            *("relevant_industries", "real_world_application_and_use_cases"),
            function="public.trends_fingerprint",
        ),
        output_field=models.BinaryField(),
        db_persist=True,
    )

    objects = TrendQuerySet.as_manager()

    class Meta:
        ordering = ("id",)
        constraints = (
            models.UniqueConstraint(
                fields=["fingerprint"],
                name="trend_once",
                violation_error_message="A trend that is equal in all ten columns is stored already.",
            ),
            models.CheckConstraint(condition=~Q(megatrend=""), name="trend_has_megatrend"),
            models.CheckConstraint(condition=~Q(macrotrend=""), name="trend_has_macrotrend"),
            models.CheckConstraint(
                condition=Q(technology_readiness_level__in=["", *Readiness.values]), name="trend_readiness_known"
            ),
            models.CheckConstraint(condition=Q(impact_strength__in=Impact.values), name="trend_impact_known"),
            models.CheckConstraint(condition=Q(steepl__in=Steepl.values), name="trend_steepl_known"),
        )
        indexes = (
            search_index("trend_search"),
            models.Index(Upper("megatrend"), "id", name="trend_megatrend"),
            models.Index(Upper("macrotrend"), "id", name="trend_macrotrend"),
            models.Index(F("total_count_of_publications").desc(nulls_last=True), "id", name="trend_publications"),
            models.Index(F("total_count_of_patents").desc(nulls_last=True), "id", name="trend_patents"),
        )

    def __str__(self) -> str:
        return f"{self.megatrend}: {self.macrotrend}"


class ImportRun(Job):
    """One file that was brought in, by whatever way, and what became of its rows."""

    is_reported = True

    class Origin(models.TextChoices):
        INBOX = "inbox", "watched folder"
        UPLOAD = "upload", "upload"
        ADMIN = "admin", "admin"

    class Status(models.TextChoices):
        QUEUED = "queued", "queued"
        PROCESSING = "processing", "processing"
        COMPLETED = "completed", "completed"
        COMPLETED_WITH_ERRORS = "completed_with_errors", "completed with errors"
        FAILED = "failed", "failed"

    token = models.UUIDField(unique=True, default=uuid.uuid4, editable=False)
    origin = models.CharField(max_length=10, choices=Origin)
    name = models.CharField(max_length=255, help_text="The file's name as it came.")
    key = models.CharField(max_length=200, blank=True, help_text="Where an uploaded file lies in the storage.")
    size = models.BigIntegerField(default=0, help_text="Bytes.")
    sha256 = models.CharField(max_length=64, blank=True, db_index=True)
    total_rows = models.PositiveIntegerField("rows", default=0)
    created = models.PositiveIntegerField(default=0)
    duplicates = models.PositiveIntegerField(default=0)
    rejected = models.PositiveIntegerField(default=0)
    duplicate_of = models.ForeignKey(
        "self", models.SET_NULL, null=True, related_name="+", help_text="The first run of the same bytes."
    )
    backup = models.CharField(max_length=300, blank=True, help_text="Its name in the backup folder.")
    quarantine = models.CharField(max_length=300, blank=True, help_text="Its name in the quarantine folder.")
    uploaded_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.SET_NULL, null=True, related_name="+")
    created_at = models.DateTimeField(db_default=Now(), editable=False)
    finished_at = GeneratedField(
        expression=Coalesce("done_at", "failed_at"), output_field=models.DateTimeField(null=True), db_persist=True
    )
    status = GeneratedField(
        expression=Case(
            When(failed_at__isnull=False, then=Value(Status.FAILED)),
            When(done_at__isnull=False, rejected=0, then=Value(Status.COMPLETED)),
            When(done_at__isnull=False, then=Value(Status.COMPLETED_WITH_ERRORS)),
            When(attempts=0, then=Value(Status.QUEUED)),
            default=Value(Status.PROCESSING),
        ),
        output_field=models.CharField(max_length=24, choices=Status),
        db_persist=True,
    )

    objects: ClassVar = ImportRunQuerySet.as_manager()

    class Meta:
        ordering = ("-id",)
        indexes = (pending("importrun_pending"),)

    def __str__(self) -> str:
        return f"{self.name} ({self.get_origin_display()})"

    def fail(self, reason: str, **fields: Any) -> None:
        """End the run without a single trend, with ``fields`` set in the same statement."""
        ImportRun.objects.filter(pk=self.pk).update(failed_at=Now(), error=reason, **fields)


class RowError(models.Model):
    """Why a row of a file was not taken."""

    run = models.ForeignKey(ImportRun, models.CASCADE, related_name="row_errors")
    line = models.PositiveIntegerField(help_text="The line of the file in which the row begins, counted from 1.")
    column = models.CharField(max_length=60, blank=True)
    value = models.CharField(max_length=200, blank=True)
    code = models.CharField(max_length=40)
    message = models.CharField(max_length=300)

    class Meta:
        ordering = ("id",)

    def __str__(self) -> str:
        return f"line {self.line}: {self.message}"
