"""Reads. Everything that a person may see begins with ``visible_to``."""

from datetime import timedelta
from functools import reduce
from operator import and_
from typing import TYPE_CHECKING, Any, Self

from django.apps import apps
from django.conf import settings
from django.db import models
from django.db.models import Count, Exists, OuterRef, Q
from django.db.models.functions import Now

from config.search import words

from .representation import note_json

if TYPE_CHECKING:
    from accounts.models import User


class NoteQuerySet(models.QuerySet):
    def visible_to(self, user: "User") -> Self:
        return self.filter(memberships__user=user)

    def for_writing(self) -> Self:
        """Locked in the order of their ids, so that two writers never wait for each other."""
        return self.select_for_update(of=("self",), no_key=True).order_by("pk")

    def expired(self) -> Self:
        """Trashed for longer than ``NOTES_TRASH_DAYS``."""
        return self.filter(trashed_at__lt=Now() - timedelta(days=settings.NOTES_TRASH_DAYS))


class MembershipQuerySet(models.QuerySet):
    def visible_to(self, user: "User") -> Self:
        return self.filter(user=user)

    def in_state(self, state: str) -> Self:
        """``active`` (neither archived nor trashed), ``archived``, ``trashed``, ``kept`` (not trashed) or ``all``."""
        match state:
            case "active":
                return self.filter(trashed=False, archived=False)
            case "archived":
                return self.filter(trashed=False, archived=True)
            case "trashed":
                return self.filter(trashed=True)
            case "kept":
                return self.filter(trashed=False)
        return self

    def labelled(self, label_id: int) -> Self:
        return self.filter(labellings__label_id=label_id)

    def shared(self, wanted: bool = True) -> Self:
        """Notes that somebody else sees too."""
        others = Exists(self.model._default_manager.filter(note=OuterRef("note")).exclude(user=OuterRef("user")))
        return self.filter(others if wanted else ~others)

    def matching(self, text: str, user: "User") -> Self:
        """Every word of ``text`` stands in the note or in the name of a label that ``user`` put on it.

        The labels that a word names are looked up first: nearly always there is none, and the note's index alone
        answers. An OR over two tables would keep Postgres from using either's index.
        """
        asked = words(text)
        if not asked:
            return self
        named = self._labels_named(asked, user)
        conditions = (self._matches(word, labels) for word, labels in zip(asked, named, strict=True))
        return self.filter(reduce(and_, conditions))

    def _labels_named(self, asked: list[str], user: "User") -> list[list[int]]:
        label: Any = apps.get_model("notes", "Label")
        labels = label.objects.visible_to(user)
        found: list[list[int]] = [[] for _ in asked]
        flags = {f"word{n}": Q(name__folded_contains=word) for n, word in enumerate(asked)}
        for pk, *hits in labels.annotate(**flags).values_list("pk", *flags):
            for ids, hit in zip(found, hits, strict=True):
                if hit:
                    ids.append(pk)
        return found

    def _matches(self, word: str, label_ids: list[int]) -> Q:
        notes = apps.get_model("notes", "Note")._default_manager.filter(search_text__has_folded=word)
        if not label_ids:
            return Q(note__search_text__has_folded=word)
        by_label = self.model._default_manager.filter(labellings__label_id__in=label_ids)
        return Q(note__in=notes.values("pk").union(by_label.values("note_id"), all=True))

    def as_json(self, *also: Any) -> Any:
        """Rows of the note's JSON as its person sees it, made by Postgres, and then the values of ``also``."""
        return self.values_list(note_json(settings.NOTES_TRASH_DAYS), *also)


class LabelQuerySet(models.QuerySet):
    def visible_to(self, user: "User") -> Self:
        return self.filter(owner=user)

    def with_counts(self) -> Self:
        """``note_count``: how many notes bear the label, those in the trash not counted."""
        return self.annotate(note_count=Count("labellings", filter=Q(labellings__membership__trashed=False)))
