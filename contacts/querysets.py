"""Queries. Each API read starts with ``visible_to(user)``."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Self

from django.apps import apps
from django.db import models
from django.db.models import Case, Count, F, OuterRef, Q, Subquery, When
from django.db.models.functions import Coalesce

from config.db.search import words
from config.jobs.job import JobQuerySet

if TYPE_CHECKING:
    from accounts.models import User

ORDERINGS = ("-id", "id", "name", "-name")


class FileMetadataQuerySet(JobQuerySet):
    def visible_to(self, user: "User") -> Self:
        """Return the uploads of ``user``, without deleted ones."""
        return self.filter(owner_id=user.pk, deleted_at=None)

    def with_waiting(self) -> Self:
        """Annotate ``waiting``: how many rows of the upload still wait for their window."""
        rows = apps.get_model("contacts", "UnprocessedContact")._default_manager
        counted = rows.filter(upload=OuterRef("pk")).order_by().values("upload").annotate(n=Count("pk")).values("n")
        return self.annotate(waiting=Coalesce(Subquery(counted), 0))


class RowQuerySet(models.QuerySet):
    def by_reason(self) -> list[dict[str, Any]]:
        """Count rejected rows by their ``code``, the most frequent first."""
        return list(self.order_by().values("code").annotate(rows=Count("pk")).order_by("-rows", "code"))

    def in_batches(self, *fields: str, size: int = 5000) -> Iterator[tuple]:
        """Yield ``fields`` of every row in the order of the ids; fetch ``size`` rows at a time and keep none."""
        last = 0
        while batch := list(self.order_by("pk").filter(pk__gt=last).values_list("pk", *fields)[:size]):
            last = batch[-1][0]
            for row in batch:
                yield row[1:]


class ContactQuerySet(RowQuerySet):
    def visible_to(self, user: "User") -> Self:
        """Return the rows of ``user``."""
        return self.filter(owner_id=user.pk)

    def matching(self, text: str) -> Self:
        """Return the rows whose name, phone number or e-mail address contain every word of ``text``."""
        return self.filter(*(Q(search_text__has_folded=word) for word in words(text)))

    def of_upload(self, upload_id: int) -> Self:
        """Return the rows of an upload; none if it was deleted."""
        return self.filter(upload_id=upload_id, upload__deleted_at=None)

    def with_key(self, field: str, present: bool) -> Self:
        """Return the rows that have, or do not have, the key in ``field``: ``phone_key`` or ``email_key``."""
        return self.exclude(**{field: ""}) if present else self.filter(**{field: ""})

    def in_order(self, ordering: str) -> Self:
        """Sort by one of ORDERINGS; rows with the same name by their ids."""
        sign = "-" * ordering.startswith("-")
        if ordering.lstrip("-") == "id":
            return self.order_by(ordering)
        return self.order_by(f"{sign}name_key", f"{sign}id")

    def with_visible_upload(self) -> Self:
        """Annotate ``visible_upload``: the id of the row's upload, None if the upload was deleted."""
        return self.annotate(visible_upload=Case(When(upload__deleted_at=None, then=F("upload_id"))))
