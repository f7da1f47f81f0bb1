"""The API of contacts and waiting rows."""

from typing import Any

from django.http import HttpResponse
from drf_spectacular.utils import OpenApiExample, extend_schema
from rest_framework import status
from rest_framework.exceptions import NotFound
from rest_framework.request import Request
from rest_framework.response import Response

from config.api.scopes import read_write
from config.api.views import APIView, GenericAPIView, ListAPIView, RetrieveAPIView

from ..filters import ContactFilter, UnprocessedContactFilter
from ..models import Contact, UnprocessedContact
from ..pagination import ContactPagination, DuePagination
from ..representation import ContactSerializer, DeletedSerializer, UnprocessedContactSerializer
from ..serializers import CorrectContactSerializer, DeleteContactsSerializer
from ..services import contacts
from .cached import CachedReads


class ContactsView(CachedReads, ListAPIView):
    scopes = read_write("contacts")
    serializer_class = ContactSerializer
    filterset_class = ContactFilter
    pagination_class = ContactPagination
    queryset = Contact.objects.none()

    def get_queryset(self) -> Any:
        return Contact.objects.visible_to(self.request.user).with_visible_upload()

    @extend_schema(
        summary="List contacts",
        description="Your stored contacts, by default newest first.",
        operation_id="contacts_list",
    )
    def get(self, request: Request, *args: Any, **kwargs: Any) -> HttpResponse:
        return super().get(request, *args, **kwargs)


class ContactView(CachedReads, RetrieveAPIView):
    scopes = read_write("contacts")
    serializer_class = ContactSerializer
    queryset = Contact.objects.none()

    def get_queryset(self) -> Any:
        return Contact.objects.visible_to(self.request.user).with_visible_upload()

    @extend_schema(
        summary="Get a contact", description="One of your stored contacts.", operation_id="contacts_retrieve"
    )
    def get(self, request: Request, *args: Any, **kwargs: Any) -> HttpResponse:
        return super().get(request, *args, **kwargs)

    @extend_schema(
        summary="Correct a contact",
        description="The rules of a sheet apply: a contact needs a phone number or an e-mail address. `accepted_at` "
        "does not change, and neither does the time at which a phone number or e-mail address is free.",
        operation_id="contacts_partial_update",
        request=CorrectContactSerializer(partial=True),
        responses=ContactSerializer,
        examples=[OpenApiExample("A new number", {"phone_number": "+374 91 123457"}, request_only=True)],
    )
    def patch(self, request: Request, pk: int) -> Response:
        self.check_visible()  # before validation: a stranger gets 404, not the errors
        changes = CorrectContactSerializer(data=request.data, partial=True)
        changes.is_valid(raise_exception=True)
        contacts.correct_contact(owner=request.user, contact_id=pk, changes=changes.validated_data)
        return Response(ContactSerializer(self.get_object()).data)

    @extend_schema(
        summary="Erase a contact",
        description="The contact is deleted for good. The time at which its phone number and e-mail address are free "
        "does not change.",
        operation_id="contacts_destroy",
        responses={204: None},
    )
    def delete(self, request: Request, pk: int) -> Response:
        if not contacts.delete_contacts(owner=request.user, ids=[pk]):
            raise NotFound
        return Response(status=status.HTTP_204_NO_CONTENT)


class DeleteContactsView(APIView):
    scopes = read_write("contacts")

    @extend_schema(
        summary="Erase contacts",
        description="Erases up to 1,000 contacts at once. Ids that do not exist or are not yours are ignored.",
        request=DeleteContactsSerializer,
        responses=DeletedSerializer,
        examples=[
            OpenApiExample("Two contacts", {"ids": [1, 2]}, request_only=True),
            OpenApiExample("Erased", {"deleted": 2}, response_only=True),
        ],
    )
    def post(self, request: Request) -> Response:
        wanted = DeleteContactsSerializer(data=request.data)
        wanted.is_valid(raise_exception=True)
        deleted = contacts.delete_contacts(owner=request.user, ids=wanted.validated_data["ids"])
        return Response({"deleted": deleted})


class UnprocessedView(CachedReads, ListAPIView):
    scopes = read_write("contacts")
    serializer_class = UnprocessedContactSerializer
    filterset_class = UnprocessedContactFilter
    pagination_class = DuePagination
    queryset = UnprocessedContact.objects.none()

    def get_queryset(self) -> Any:
        return UnprocessedContact.objects.visible_to(self.request.user).with_visible_upload()

    @extend_schema(
        summary="List waiting rows",
        description="Ordered by `due_at`, the time when the row will be stored as a contact.",
    )
    def get(self, request: Request, *args: Any, **kwargs: Any) -> HttpResponse:
        return super().get(request, *args, **kwargs)


class WaitingRowView(GenericAPIView):
    scopes = read_write("contacts")
    serializer_class = UnprocessedContactSerializer
    queryset = UnprocessedContact.objects.none()

    def get_queryset(self) -> Any:
        return UnprocessedContact.objects.visible_to(self.request.user)

    @extend_schema(
        summary="Erase a waiting row",
        description="The row is deleted and will not be stored. Other waiting rows keep their `due_at`.",
        operation_id="contacts_unprocessed_destroy",
        responses={204: None},
    )
    def delete(self, request: Request, pk: int) -> Response:
        if not contacts.delete_waiting_rows(owner=request.user, ids=[pk]):
            raise NotFound
        return Response(status=status.HTTP_204_NO_CONTENT)
