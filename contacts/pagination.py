"""The order of the feeds that are not, or not always, newest first."""

from typing import Any

from config.api.pagination import FeedPagination


class RowPagination(FeedPagination):
    """Rejected rows in the order of the sheet."""

    ordering = "row"


class DuePagination(FeedPagination):
    """Waiting rows in the order in which they are released."""

    ordering = ("due_at", "id")


class ContactPagination(FeedPagination):
    """Contacts in the order that the filter ``ordering`` has given to the queryset."""

    # A cursor is a name and an offset among the contacts with this name: any number of them may have none.
    offset_cutoff = 10_000_000

    def get_ordering(self, request: Any, queryset: Any, view: Any) -> Any:
        return queryset.query.order_by or ("-id",)
