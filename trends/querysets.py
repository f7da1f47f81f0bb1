"""How trends and import runs are read."""

from typing import Any, Self

from django.contrib.postgres.indexes import GinIndex, OpClass
from django.db.models import Count, Func, QuerySet, Sum, TextField
from django.db.models.functions import Coalesce

from config.claims import JobQuerySet
from config.search import Fold, contains_words

SEARCHED = (
    "megatrend",
    "macrotrend",
    "challenges_and_research_gaps",
    "relevant_industries",
    "real_world_application_and_use_cases",
)


class Lines(Func):
    """Texts under each other, as one. A search is split at white space, so no word of it spans two of them."""

    template = "(%(expressions)s)"
    arg_joiner = " || chr(10) || "
    output_field = TextField()


def search_index(name: str) -> GinIndex:
    """One index over all that is searched: five would cost five times as much at each import."""
    return GinIndex(OpClass(Fold(Lines(*SEARCHED)), name="gin_trgm_ops"), name=name)


class TrendQuerySet(QuerySet):
    def matching(self, text: str) -> Self:
        """Trends in which every word of ``text`` stands somewhere, without regard to case or accents."""
        return self.alias(searched=Lines(*SEARCHED)).filter(contains_words(text, "searched"))

    def summary(self) -> "QuerySet[Any, dict]":
        """Counts and sums by megatrend, STEEPL, impact and readiness."""
        groups = ("megatrend", "steepl", "impact_strength", "technology_readiness_level")
        return (
            self.order_by()
            .values(*groups)
            .annotate(
                count=Count("pk"),
                publications=Coalesce(Sum("total_count_of_publications"), 0),
                patents=Coalesce(Sum("total_count_of_patents"), 0),
            )
            .order_by(*groups)
        )


class ImportRunQuerySet(JobQuerySet):
    def visible_to(self, user: Any) -> Self:
        """Staff see every run, the others none."""
        return self if user.is_staff else self.none()

    def finished(self) -> Self:
        return self.exclude(done_at=None, failed_at=None)
