"""Notes with ModelSerializers and prefetches, to compare the product with.

URLs for ``benchmarks.apps``, selected by its variable ``BENCH_URLS``.
"""

from typing import Any

from django.db.models import Prefetch, Q
from django.urls import path
from rest_framework import generics, serializers

from accounts.models import User
from config.api.pagination import FeedPagination
from notes.models import Label, Membership

from . import apps


class PersonSerializer(serializers.ModelSerializer):
    class Meta:
        model = User
        fields = ("usercode", "username")


class CollaboratorSerializer(serializers.ModelSerializer):
    usercode = serializers.CharField(source="user.usercode")
    username = serializers.CharField(source="user.username")

    class Meta:
        model = Membership
        fields = ("usercode", "username", "role")


class LabelSerializer(serializers.ModelSerializer):
    class Meta:
        model = Label
        fields = ("id", "name")


class NoteSerializer(serializers.ModelSerializer):
    id = serializers.IntegerField(source="note_id")
    title = serializers.CharField(source="note.title")
    body = serializers.CharField(source="note.body")
    items = serializers.JSONField(source="note.items")
    color = serializers.CharField(source="note.color")
    owner = PersonSerializer(source="note.owner")
    collaborators = CollaboratorSerializer(source="note.collaborators", many=True)
    labels = LabelSerializer(many=True)
    remind_at = serializers.DateTimeField(source="reminder.remind_at", default=None)
    trashed_at = serializers.DateTimeField(source="note.trashed_at")
    purge_at = serializers.SerializerMethodField()
    version = serializers.IntegerField(source="note.version")
    created_at = serializers.DateTimeField(source="note.created_at")

    class Meta:
        model = Membership
        fields = (
            "id", "title", "body", "items", "color", "role", "owner", "collaborators", "labels", "pinned", "archived",
            "remind_at", "trashed_at", "purge_at", "version", "created_at", "updated_at",
        )  # fmt: skip

    def get_purge_at(self, membership: Membership) -> None:
        return None


class PlainPagination(FeedPagination):
    ordering = ("-pinned", "-updated_at", "-note_id")  # type: ignore[assignment]  # the stubs know only one column


class PlainList(generics.ListAPIView):
    serializer_class = NoteSerializer
    pagination_class = PlainPagination

    def get_queryset(self) -> Any:
        others = Membership.objects.filter(~Q(role="owner")).select_related("user").order_by("pk")
        return (
            Membership.objects.filter(user=self.request.user, archived=False, trashed=False)
            .select_related("note__owner", "reminder")
            .prefetch_related("labels", Prefetch("note__memberships", queryset=others, to_attr="collaborators"))
            .defer("note__search_text")
        )


class PlainSearch(PlainList):
    """``icontains`` over the same columns, without an index."""

    def get_queryset(self) -> Any:
        word = self.request.query_params["search"]
        found = Q(note__title__icontains=word) | Q(note__body__icontains=word) | Q(note__items__icontains=word)
        return super().get_queryset().filter(found)


urlpatterns = [
    path("plain/notes/", PlainList.as_view()),
    path("plain/search/", PlainSearch.as_view()),
    *apps.urlpatterns,
]
