"""Notes created by the services, with all rows that belong to them."""

from typing import Any

import factory
from factory.django import DjangoModelFactory

from accounts.models import User
from notes.models import Label, Membership, Note, Role
from notes.services import notes, sharing
from tests.factories import UserFactory


class LabelFactory(DjangoModelFactory):
    class Meta:
        model = Label

    owner = factory.SubFactory(UserFactory)
    name = factory.Sequence(lambda n: f"label {n}")


def make_note(owner: User, **fields: Any) -> Note:
    new = notes.create_note(owner=owner, **{"title": "Groceries", "body": "for the weekend", **fields})
    return Note.objects.select_related("owner").get(pk=new.pk)


def share(note: Note, user: User, role: Role = Role.VIEWER) -> Membership:
    return sharing.share_note(by=note.owner, note_id=note.pk, usercode=user.usercode, role=role)
