"""Reads, each beginning with whose rows they are."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Self

from django.apps import apps
from django.db import models
from django.db.models import Count, OuterRef, Subquery
from django.db.models.functions import Coalesce

from config.claims import JobQuerySet
from config.search import contains_words

if TYPE_CHECKING:
    from accounts.models import User


class FileMetadataQuerySet(JobQuerySet):
    def visible_to(self, user: "User") -> Self:
        """The user's uploads, from the moment at which they were acknowledged."""
        return self.filter(owner_id=user.pk).exclude(stored_at=None)

    def readable(self) -> Self:
        """Those a worker may take up now."""
        return self.due().exclude(stored_at=None)

    def half_uploaded(self) -> Self:
        """Those whose original is not known to be in the storage."""
        return self.filter(stored_at=None)

    def with_waiting(self) -> Self:
        """Annotate ``waiting``: how many of its rows still wait for their window."""
        rows = apps.get_model("contacts", "UnprocessedContact")._default_manager
        counted = rows.filter(upload=OuterRef("pk")).order_by().values("upload").annotate(n=Count("pk")).values("n")
        return self.annotate(waiting=Coalesce(Subquery(counted), 0))


class PiecesQuerySet(models.QuerySet):
    def in_pieces(self, *fields: str, size: int = 5000) -> Iterator[tuple]:
        """``fields`` of every row in the order of their ids, fetched ``size`` at a time and none kept."""
        last = 0
        while piece := list(self.order_by("pk").filter(pk__gt=last).values_list("pk", *fields)[:size]):
            last = piece[-1][0]
            for row in piece:
                yield row[1:]


class OwnedQuerySet(PiecesQuerySet):
    def visible_to(self, user: "User") -> Self:
        return self.filter(owner_id=user.pk)

    def matching(self, text: str) -> Self:
        """Every word stands somewhere in name, phone number or e-mail address."""
        return self.filter(contains_words(text, "search_text"))
