"""Reads. Every query for a user begins with ``visible_to``."""

from collections.abc import Iterable
from datetime import timedelta
from functools import reduce
from typing import TYPE_CHECKING, Any, Self

from django.apps import apps
from django.conf import settings
from django.db import models
from django.db.models import BigIntegerField, Count, Exists, F, OuterRef, Q, Value
from django.db.models.functions import Cast, Now
from django.db.models.lookups import Exact

from config.db.search import IsAnyOf, words

from .representation import note_json

if TYPE_CHECKING:
    from accounts.models import User


# An expression, so that only the search index can serve a condition on it. With the plain column, Postgres may read all
# notes of the owner by another index.
OWNER_KEY = F("owner") + 0


class NoteQuerySet(models.QuerySet):
    def visible_to(self, user: "User") -> Self:
        return self.filter(memberships__user=user, memberships__withheld=False)

    def containing(self, search_words: Iterable[str]) -> Self:
        """Notes whose content contains every word."""
        return reduce(lambda notes, word: notes.filter(search_text__has_folded=word), search_words, self)

    def for_writing(self) -> Self:
        """Lock the notes in the order of their ids, so that two writers cannot deadlock."""
        return self.select_for_update(of=("self",), no_key=True).order_by("pk")

    def expired(self) -> Self:
        """Notes that have been in the trash for more than ``NOTES_TRASH_DAYS``."""
        return self.filter(trashed_at__lt=Now() - timedelta(days=settings.NOTES_TRASH_DAYS))


class MembershipQuerySet(models.QuerySet):
    def visible_to(self, user: "User") -> Self:
        return self.filter(user=user, withheld=False)

    def in_state(self, state: str) -> Self:
        """``active`` (neither archived nor trashed), ``archived``, ``trashed``, ``not_trashed`` or ``all``."""
        match state:
            case "active":
                return self.filter(trashed=False, archived=False)
            case "archived":
                return self.filter(trashed=False, archived=True)
            case "trashed":
                return self.filter(trashed=True)
            case "not_trashed":
                return self.filter(trashed=False)
        return self

    def labelled(self, label_id: int) -> Self:
        return self.filter(labellings__label_id=label_id)

    def shared(self, wanted: bool = True) -> Self:
        """Notes that other users see too."""
        others = Exists(self.model._default_manager.filter(note=OuterRef("note")).exclude(user=OuterRef("user")))
        return self.filter(others if wanted else ~others)

    def owned(self, wanted: bool = True) -> Self:
        """Notes that the member owns."""
        return self.filter(role="owner") if wanted else self.exclude(role="owner")

    def with_checklist(self, wanted: bool = True) -> Self:
        """Notes that have at least one item."""
        return self.exclude(note__items=[]) if wanted else self.filter(note__items=[])

    def with_member(self, usercode: str) -> Self:
        """Notes that the user with this code owns or that are shared with them."""
        members = self.model._default_manager.filter(note=OuterRef("note"), user__usercode=usercode)
        return self.filter(Exists(members))

    def matching(self, text: str, user: "User") -> Self:
        """Notes that contain every word of ``text``, in their content or in the names of ``user``'s labels.

        The ids are looked up first, by index: see ``IsAnyOf``. Usually no label matches, and one lookup is enough.
        """
        search_words = words(text)
        plain, found = [], self
        for word, label_ids in zip(search_words, self._labels_matching(search_words, user), strict=True):
            if label_ids:
                labelled = self.model._default_manager.filter(labellings__label_id__in=label_ids).values("note_id")
                found = found.filter(IsAnyOf(F("note_id"), *self._note_ids_containing([word], user), labelled))
            else:
                plain.append(word)
        return found.filter(IsAnyOf(F("note_id"), *self._note_ids_containing(plain, user))) if plain else found

    def _labels_matching(self, search_words: list[str], user: "User") -> list[list[int]]:
        label: Any = apps.get_model("notes", "Label")
        found: list[list[int]] = [[] for _ in search_words]
        flags = {f"word{n}": Q(folded__has_folded=word) for n, word in enumerate(search_words)}
        if not flags:
            return []
        for pk, *hits in label.objects.visible_to(user).annotate(**flags).values_list("pk", *flags):
            for ids, hit in zip(found, hits, strict=True):
                if hit:
                    ids.append(pk)
        return found

    def _note_ids_containing(self, search_words: list[str], user: "User") -> tuple[Any, Any]:
        """Return two querysets of ids: the user's own notes and notes shared with the user."""
        notes: Any = apps.get_model("notes", "Note")._default_manager
        owner_key = Cast(Value(user.pk), BigIntegerField())
        shared = self.model._default_manager.filter(user=user).exclude(role="owner").values("note_id")
        own = notes.filter(Exact(OWNER_KEY, owner_key)).containing(search_words)
        return own.values("pk"), notes.filter(IsAnyOf(F("pk"), shared)).containing(search_words).values("pk")

    def as_json(self, *also: Any) -> Any:
        """Rows of the note's JSON as the member sees it, built by Postgres, followed by the values of ``also``."""
        return self.values_list(note_json(settings.NOTES_TRASH_DAYS), *also)


class LabelQuerySet(models.QuerySet):
    def visible_to(self, user: "User") -> Self:
        return self.filter(owner=user)

    def for_attaching(self) -> Self:
        """Lock the labels in the order of their ids, before they are attached, detached, renamed or deleted."""
        return self.select_for_update(no_key=True).order_by("pk")

    def with_counts(self) -> Self:
        """Add ``note_count``: how many notes have the label, without those in the trash."""
        return self.annotate(note_count=Count("labellings", filter=Q(labellings__membership__trashed=False)))
