"""The base class of the views of notes and labels."""

from collections.abc import Callable
from contextlib import nullcontext
from typing import Any

from django.http import Http404, HttpResponse
from rest_framework.request import Request
from rest_framework.serializers import Serializer

from config.api.scopes import read_write
from config.api.validation import validated
from config.api.views import GenericViewSet
from config.cache.responses import cached_response
from config.db.search import only_index_scans

from ..pagination import NotePagination
from ..serializers import MAX_ID
from ..services.events import cache_scope


class NotesViewSet(GenericViewSet):
    scopes = read_write("notes")
    lookup_value_converter = "int"
    cache_scope = staticmethod(cache_scope)
    filterset_class: Any = None

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        super().initial(request, *args, **kwargs)
        if any(isinstance(value, int) and value > MAX_ID for value in kwargs.values()):
            raise Http404

    def get_queryset(self) -> Any:
        return super().get_queryset().visible_to(self.request.user)

    def validated_data(self, serializer_class: type[Serializer], *, partial: bool = False) -> dict[str, Any]:
        """Validate the request's data with ``serializer_class``; raises a validation error."""
        return validated(serializer_class, self.request.data, partial=partial)

    def cached(self, produce: Callable[[], object], **options: Any) -> HttpResponse:
        """Return the cached response of this user, or store what ``produce`` returns."""
        return cached_response(self.request, scope=cache_scope(self.request.user.pk), produce=produce, **options)

    def page_of_notes(self, memberships: Any, *, state: str = "") -> bytes:
        """Return the JSON of the requested page of ``memberships``.

        ``state`` is given if a request without filters selects all of the user's notes in this state.
        """
        params, filters = self.request.query_params, self.filterset_class
        # Most requests have no filter, and to build the form that validates filters takes 2 ms.
        if filters.base_filters.keys() & params.keys():
            memberships = self.filter_queryset(memberships)
        elif state and "cursor" not in params:
            return NotePagination().first_page(state, self.request)
        else:
            memberships = filters.unfiltered(memberships)
        with only_index_scans() if params.get("search") else nullcontext():
            return NotePagination().page(memberships, self.request, params.get("ordering", ""))
