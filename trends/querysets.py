"""Querysets of trends and import runs."""

from collections.abc import Collection
from datetime import datetime, timedelta
from typing import Any, Self

from django.conf import settings
from django.db.models import (
    Count,
    DateTimeField,
    DurationField,
    ExpressionWrapper,
    F,
    Func,
    Q,
    QuerySet,
    Sum,
    TextField,
    Value,
    Window,
)
from django.db.models.functions import Coalesce, Now, RowNumber

from config.db.search import words
from config.jobs.job import JobQuerySet

SEARCHED = (
    "megatrend",
    "macrotrend",
    "challenges_and_research_gaps",
    "relevant_industries",
    "real_world_application_and_use_cases",
)


class Lines(Func):
    """Several text columns as one text, one per line. Search words contain no line break, so none spans two columns."""

    template = "(%(expressions)s)"
    arg_joiner = " || chr(10) || "
    output_field = TextField()


class TrendQuerySet(QuerySet):
    def matching(self, text: str) -> Self:
        """Trends that contain every word of ``text``; case and accents do not matter."""
        return self.filter(*(Q(search_text__has_folded=word) for word in words(text)))

    def summary(self) -> "QuerySet[Any, dict]":
        """Counts and sums by megatrend, STEEPL, impact and readiness."""
        groups = ("megatrend", "steepl", "impact_strength", "technology_readiness_level")
        return self._totals(*groups, count=Count("pk")).order_by(*groups)

    def radar(self) -> "QuerySet[Any, dict]":
        """Counts and sums by the five values that place a trend on the radar, groups with most trends first."""
        groups = ("megatrend", "macrotrend", "steepl", "technology_readiness_level", "impact_strength")
        return self._totals(*groups, trends=Count("pk")).order_by("-trends", *groups)

    def _totals(self, *groups: str, **number: Count) -> "QuerySet[Any, dict]":
        sums = {
            "publications": Coalesce(Sum("total_count_of_publications"), 0),
            "patents": Coalesce(Sum("total_count_of_patents"), 0),
        }
        return self.order_by().values(*groups).annotate(**number, **sums)


class ChangeQuerySet(QuerySet):
    def since(self, instant: datetime) -> Self:
        """Committed changes after ``instant`` in the order of their commits, each with its own ``at``."""
        offset = ExpressionWrapper(F("place") * Value(timedelta(microseconds=1)), DurationField())
        return (
            self.filter(revision__ends_at__gt=instant)
            .annotate(at=ExpressionWrapper(F("revision__at") + offset, DateTimeField()))
            .filter(at__gt=instant)
            .order_by("revision__at", "place")
        )

    def history_of(self, trend_id: int) -> Self:
        """The changes that keep earlier values of a trend, or of trends that were merged into it."""
        return self.filter(history_of=trend_id, before__isnull=False)

    def latest_counts_of(self, trend_ids: Collection[int], *, states: int) -> "QuerySet[Any, dict]":
        """The earlier counts in the history of each trend, oldest first, at most the last ``states`` of each."""
        newest_first = (F("before_at").desc(), F("pk").desc())
        return (
            self.filter(history_of__in=trend_ids, before__isnull=False)
            .annotate(age=Window(RowNumber(), partition_by=F("history_of"), order_by=newest_first))
            .filter(age__lte=states)
            .order_by("history_of", "-age")
            .values("history_of", "before__total_count_of_publications", "before__total_count_of_patents")
        )


class RevisionQuerySet(QuerySet):
    def last_import(self) -> Any:
        """The published revision of the last import that has stored its rows, with its run, or None."""
        return self.filter(run__isnull=False, at__isnull=False).select_related("run").order_by("-ends_at").first()


class ImportRunQuerySet(JobQuerySet):
    def visible_to(self, user: Any) -> Self:
        """Every run for staff, none for other users."""
        return self if user.is_staff else self.none()

    def first_import_of(self, sha256: str) -> Any:
        """The first run that has stored the file with this digest, or None."""
        return self.filter(sha256=sha256, failed_at=None, cursor__gt=F("total_rows")).order_by("pk").first()


class InboxFileQuerySet(QuerySet):
    def settled(self) -> Self:
        """Files that have not changed for TRENDS_SETTLE seconds."""
        return self.filter(seen_at__lte=Now() - timedelta(seconds=settings.TRENDS_SETTLE))
