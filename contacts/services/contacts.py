"""Correcting and erasing single contacts and waiting rows. The window's instants stay as they are."""

from collections.abc import Collection, Mapping

from django.db import transaction
from rest_framework.exceptions import NotFound, ValidationError

from accounts.models import User

from ..files.email_addresses import EMAIL
from ..files.phone_numbers import PHONE, Fault
from ..files.rows import NAME, Rejected, read_row
from ..models import Contact, UnprocessedContact
from .notifications import invalidate
from .release import delete_waiting
from .window import lock_window

_FIELDS = {NAME: "name", PHONE: "phone_number", EMAIL: "email_address"}


class InvalidContact(ValidationError):
    """The texts break a rule of the sheet, such as ``phone_invalid``; the error names the field."""

    def __init__(self, fault: Fault) -> None:
        super().__init__({_FIELDS.get(fault.column, "non_field_errors"): [fault.message]}, fault.code)


@transaction.atomic
def correct_contact(*, owner: User, contact_id: int, changes: Mapping[str, str]) -> None:
    """Change the ``name``, ``phone_number`` or ``email_address`` of a contact by the rules of a sheet.

    Raises NotFound, InvalidContact.
    """
    contact = Contact.objects.visible_to(owner).select_for_update().filter(pk=contact_id).first()
    if contact is None:
        raise NotFound
    name, phone, email = (changes.get(field, getattr(contact, field)) for field in _FIELDS.values())
    row = read_row(contact.row, name, phone, email)
    if isinstance(row, Rejected):
        raise InvalidContact(row.fault)
    Contact.objects.filter(pk=contact.pk).update(
        name=row.name,
        phone_number=row.phone_number,
        email_address=row.email_address,
        phone_key=row.phone_key,
        email_key=row.email_key,
    )
    invalidate([owner.pk])


@transaction.atomic
def delete_contacts(*, owner: User, ids: Collection[int]) -> int:
    """Erase those of the contacts ``ids`` that belong to ``owner``; return how many."""
    # An undo of their upload locks the same rows in another order; the window's lock keeps the two apart.
    lock_window()
    deleted = Contact.objects.visible_to(owner).filter(pk__in=ids).delete()[0]
    if deleted:
        invalidate([owner.pk])
    return deleted


@transaction.atomic
def delete_waiting_rows(*, owner: User, ids: Collection[int]) -> int:
    """Erase those of the waiting rows ``ids`` that belong to ``owner``, free their slots, and return how many."""
    lock_window()
    deleted = delete_waiting(UnprocessedContact.objects.visible_to(owner).filter(pk__in=ids))
    if deleted:
        invalidate([owner.pk])
    return deleted
