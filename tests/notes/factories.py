"""Notes as the API makes them: through the services, so that every row they need is there."""

from typing import Any

import factory
from factory.django import DjangoModelFactory

from accounts.models import User
from notes.models import Label, Membership, Note, Role
from notes.services import content, sharing
from tests.factories import UserFactory


class LabelFactory(DjangoModelFactory):
    class Meta:
        model = Label

    owner = factory.SubFactory(UserFactory)
    name = factory.Sequence(lambda n: f"label {n}")


def make_note(owner: User, **fields: Any) -> Note:
    note = content.create_note(owner=owner, **{"title": "Groceries", "body": "for the weekend", **fields})
    note.refresh_from_db()
    return note


def share(note: Note, person: User, role: Role = Role.VIEWER) -> Membership:
    return sharing.share_note(by=note.owner, note_id=note.pk, usercode=person.usercode, role=role)
