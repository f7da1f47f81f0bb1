"""Trends and the runs that import them."""

import uuid
from typing import ClassVar

from django.conf import settings
from django.contrib.postgres.indexes import GinIndex, OpClass
from django.core.validators import MaxLengthValidator, MaxValueValidator
from django.db import models
from django.db.models import F, Func, GeneratedField, Q
from django.db.models.functions import Cast, Now, Upper

from config.db.search import Fold
from config.jobs.job import ImportJob, due_index, failed_index

from .querysets import (
    SEARCHED,
    ChangeQuerySet,
    ImportRunQuerySet,
    InboxFileQuerySet,
    Lines,
    RevisionQuerySet,
    TrendQuerySet,
)

MAX_COUNT = 2_147_483_647
MAX_TEXT = 32_767  # characters: the limit of a cell in a workbook, so that every trend can be exported
MAX_IMPORT_ID = 2**63 - 1
CACHE_SCOPE = "trends"  # of config.cache: all public reads are invalidated together


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
    """One row of a trend table. No two trends have the same ten values."""

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
    uploaded_at = models.DateTimeField(
        db_default=Now(), editable=False, help_text="When the present values were stored."
    )
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

    # Stored, because folding the texts of every row takes 30 times as long as searching them.
    search_text = GeneratedField(expression=Fold(Lines(*SEARCHED)), output_field=models.TextField(), db_persist=True)

    objects = TrendQuerySet.as_manager()

    class Meta:
        ordering = ("id",)
        constraints = (
            models.UniqueConstraint(
                fields=["fingerprint"],
                name="trend_once",
                violation_error_message="A trend with the same ten values is already stored.",
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
            GinIndex(OpClass("search_text", name="gin_trgm_ops"), name="trend_search_text"),
            models.Index(Upper("megatrend"), "id", name="trend_megatrend"),
            models.Index(Upper("macrotrend"), "id", name="trend_macrotrend"),
            models.Index(F("total_count_of_publications").desc(nulls_last=True), "id", name="trend_publications"),
            models.Index(F("total_count_of_patents").desc(nulls_last=True), "id", name="trend_patents"),
        )

    def __str__(self) -> str:
        return f"{self.megatrend}: {self.macrotrend}"


class ImportRun(ImportJob):
    """One imported file, however it arrived, and the counts of its rows.

    ``cursor`` is the number of rows that have been read, and one more once the rows are stored.
    """

    task = "trends.tasks.import_waiting"
    retry_service = ""  # the file is in quarantine when the import has failed

    class Origin(models.TextChoices):
        INBOX = "inbox", "watched folder"
        UPLOAD = "upload", "upload"
        ADMIN = "admin", "admin"

    class Mode(models.TextChoices):
        ADD = "add", "add new trends"
        UPDATE = "update", "add new trends and update stored ones"

    token = models.UUIDField(unique=True, default=uuid.uuid4, editable=False)
    origin = models.CharField(max_length=10, choices=Origin)
    mode = models.CharField(max_length=10, choices=Mode, default=Mode.ADD, db_default=Mode.ADD)
    key = models.CharField(max_length=200, blank=True, help_text="The key of an uploaded file in the storage.")
    size = models.BigIntegerField(default=0, help_text="Bytes.")
    sha256 = models.CharField(max_length=64, blank=True, db_index=True)
    total_rows = models.PositiveIntegerField("rows", default=0)
    created = models.PositiveIntegerField(default=0)
    updated = models.PositiveIntegerField(default=0, db_default=0)
    duplicates = models.PositiveIntegerField(default=0)
    duplicate_of = models.ForeignKey(
        "self", models.SET_NULL, null=True, related_name="+", help_text="The first import of the same file."
    )
    backup = models.CharField(max_length=300, blank=True, help_text="Name in the backup folder.")
    quarantine = models.CharField(max_length=300, blank=True, help_text="Name in the quarantine folder.")
    uploaded_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.SET_NULL, null=True, related_name="+")

    objects: ClassVar = ImportRunQuerySet.as_manager()

    class Meta:
        ordering = ("-id",)
        indexes = (
            due_index("importrun_pending"),
            failed_index("importrun_failed"),
        )

    def __str__(self) -> str:
        return f"{self.name} ({self.get_origin_display()})"

    @property
    def is_stored(self) -> bool:
        return self.cursor > self.total_rows


class InboxFile(models.Model):
    """A file in the watched folder that may still be changing.

    It is imported once ``state`` has been the same for TRENDS_SETTLE seconds by the database clock. The clock of the
    file system is not used: it may be ahead or behind.
    """

    name = models.CharField(max_length=1020, unique=True)  # a byte that is not UTF-8 takes four characters
    state = models.CharField(max_length=100, help_text="Size, mtime and ctime.")
    seen_at = models.DateTimeField(db_default=Now(), help_text="When the file was first seen in this state.")

    objects = InboxFileQuerySet.as_manager()

    class Meta:
        ordering = ("name",)

    def __str__(self) -> str:
        return self.name


class RowError(models.Model):
    """Why a row of a file was rejected."""

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


class Revision(models.Model):
    """All changes of trends that were committed together: those of an import, or one edit.

    ``at`` is set last, under a lock that is held until the commit, so revisions have the order of their commits.
    The changes of a revision are one microsecond apart, and the next revision begins after ``ends_at``.
    """

    run = models.OneToOneField(ImportRun, models.SET_NULL, null=True, related_name="revision")
    at = models.DateTimeField(null=True)
    ends_at = models.DateTimeField(null=True, db_index=True)

    objects = RevisionQuerySet.as_manager()

    def __str__(self) -> str:
        return f"revision {self.pk}"


class Change(models.Model):
    """One trend that was created, updated or deleted, with the values that it had before.

    The values after a change are those before the trend's next change, or its present ones.
    """

    class Kind(models.TextChoices):
        CREATED = "created"
        UPDATED = "updated"
        DELETED = "deleted"

    # Without a constraint: the revision is in the same transaction, and to check 100,000 rows takes a second.
    revision = models.ForeignKey(Revision, models.CASCADE, related_name="changes", db_index=False, db_constraint=False)
    place = models.PositiveIntegerField(help_text="In the revision, from 0.")
    trend_id = models.BigIntegerField()
    history_of = models.BigIntegerField(help_text="The trend whose history has the earlier values.")
    kind = models.CharField(max_length=10, choices=Kind)
    before = models.JSONField(null=True)
    before_at = models.DateTimeField(null=True, help_text="When the earlier values were stored.")
    before_run = models.ForeignKey(ImportRun, models.SET_NULL, null=True, related_name="+", db_index=False)

    objects = ChangeQuerySet.as_manager()

    class Meta:
        ordering = ("id",)
        indexes = (
            models.Index(fields=["revision", "place"], name="change_in_commit_order"),
            models.Index(fields=["trend_id", "id"], name="change_of_trend"),
            models.Index(
                fields=["history_of", "-before_at", "-id"], name="change_history", condition=Q(before__isnull=False)
            ),
        )

    def __str__(self) -> str:
        return f"trend {self.trend_id} {self.kind}"
