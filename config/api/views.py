"""Base classes of all API views: they check every request against the OpenAPI schema of its operation.

Unknown members, unknown query parameters of a write, and missing bodies are 400 errors. See ``config.api.contract``.
"""

from collections.abc import Mapping
from typing import Any, ClassVar

from django.http import HttpRequest
from rest_framework import generics, mixins, status, views, viewsets
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request, wrap_attributeerrors
from rest_framework.response import Response

from config.logs import TOKEN_PREFIX, mask

from .contract import Contract, contract, is_same, unknown_members
from .errors import field_errors
from .scopes import Scopes, check_scope

READS = ("GET", "HEAD", "OPTIONS")
CSRF_FIELD = "csrfmiddlewaretoken"  # sent by this site's own forms


class CheckedRequest(Request):
    """A request whose ``data`` is checked by the view when it is first used."""

    _data_is_checked = False

    @property
    def data(self) -> Any:
        data = super().data
        if not self._data_is_checked and self.method not in READS:
            with wrap_attributeerrors():  # __getattr__ would hide where the error comes from
                self.parser_context["view"].check_body(self, data)
            self._data_is_checked = True
        return data


class APIView(views.APIView):
    """Check parameters and body against the schema, and answer OPTIONS with the allowed methods only.

    ``own_calls`` maps members that have their own call to that call, such as ``{"pinned": "POST …/pin/"}``. A PATCH
    that would change one is 400 ``read_only``; the view returns the stored object from ``stored_object``.
    """

    own_calls: ClassVar[Mapping[str, str]] = {}
    # Which personal access tokens may call the view (config.api.scopes). A view that declares none needs a session.
    scopes: ClassVar[Scopes] = {}

    def initialize_request(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Request:
        return CheckedRequest(
            request,
            parsers=self.get_parsers(),
            authenticators=self.get_authenticators(),
            negotiator=self.get_content_negotiator(),
            parser_context=self.get_parser_context(request),
        )

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        check_for_tokens(request)
        super().initial(request, *args, **kwargs)
        if request.method in READS or (operation := self.contract(request)) is None:
            return
        unknown = request.query_params.keys() - operation.parameters - {CSRF_FIELD} if _has_query(request) else None
        if unknown:
            self.check_visible()
            raise field_errors(unknown, "This operation has no such query parameter.", "unknown_parameter")
        if not _has_body(request):
            if operation.needs_body:
                self.check_visible()
                raise ValidationError("This request needs a body.", "empty_body")
        elif not operation.needs_body:
            _ = request.data  # the handler does not read it, so check it here

    def check_permissions(self, request: Request) -> None:
        check_scope(request.auth, self, request.method or "")
        super().check_permissions(request)

    def contract(self, request: Request) -> Contract | None:
        """Return the contract of this request's operation; None if the method is not allowed."""
        method = (request.method or "").lower()
        match = request.resolver_match
        if match is None or not hasattr(self, method):
            return None
        return contract(match.func, "get" if method == "head" else method, match.route)

    def check_body(self, request: Request, data: object) -> None:
        """Raise a validation error if ``data``, the parsed body, does not match the schema's members."""
        operation = self.contract(request)
        if operation is None:
            return
        if not isinstance(data, Mapping):
            if not operation.needs_body:
                self.check_visible()
                raise ValidationError("This request takes no body, or an empty object.", "invalid")
            return
        if unknown := [name for name in unknown_members(data, operation.members) if name != CSRF_FIELD]:
            self.check_visible()
            raise field_errors(unknown, "This operation has no such field.", "unknown_field")
        if request.method == "PATCH" and (members := self.own_calls.keys() & data.keys()):
            stored = self.stored_object()  # 404 if it is not visible
            changed = {name: self.own_calls[name] for name in members if not is_same(data[name], stored.get(name))}
            if changed:
                raise ValidationError(
                    {name: [f"This field is read-only here. Change it with {call}."] for name, call in changed.items()},
                    "read_only",
                )

    def check_visible(self) -> None:
        """Raise Http404 if the URL's object is not visible to the user, so that a stranger never gets a 400 instead."""

    def stored_object(self) -> Mapping[str, Any]:
        """Return the object as GET returns it; required for views with ``own_calls``."""
        raise NotImplementedError

    def options(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        return Response(status=status.HTTP_204_NO_CONTENT)


def check_for_tokens(request: Request) -> None:
    """Raise a validation error if the query contains a personal access token, as a value or as a name.

    It comes before authentication, so that a client that sends its token only there learns what to do instead.
    """
    if not _has_query(request):
        return
    query = request.query_params.lists()
    if leaked := {mask(name) for name, values in query if any(v.startswith(TOKEN_PREFIX) for v in (name, *values))}:
        detail = "Do not send tokens in a URL, because URLs are logged. Use the Authorization header."
        raise field_errors(leaked, detail, "token_in_url")


def _has_query(request: Request) -> bool:
    return bool(request.META.get("QUERY_STRING"))


def _has_body(request: Request) -> bool:
    length = request.META.get("CONTENT_LENGTH") or "0"
    return not length.isdecimal() or int(length) > 0


class GenericAPIView(APIView, generics.GenericAPIView):
    def check_visible(self) -> None:
        if (self.lookup_url_kwarg or self.lookup_field) in self.kwargs:
            self.get_object()

    def stored_object(self) -> Mapping[str, Any]:
        return self.get_serializer(self.get_object()).data


class ListAPIView(GenericAPIView, generics.ListAPIView):
    pass


class RetrieveAPIView(GenericAPIView, generics.RetrieveAPIView):
    pass


class GenericViewSet(viewsets.ViewSetMixin, GenericAPIView):
    pass


class ModelViewSet(
    mixins.CreateModelMixin,
    mixins.RetrieveModelMixin,
    mixins.UpdateModelMixin,
    mixins.DestroyModelMixin,
    mixins.ListModelMixin,
    GenericViewSet,
):
    pass
