"""Blocks: who blocks whom. Their API is tested with messaging."""

from importlib import import_module

import pytest
from django.apps import apps
from django.contrib.auth.models import Group, Permission
from django.contrib.contenttypes.models import ContentType
from django.db import IntegrityError

from accounts.models import Block, User

from ..factories import UserFactory


def test_a_user_has_blocked_only_the_other(user: User) -> None:
    other = UserFactory()
    Block.objects.create(blocker=user, blocked=other)
    assert user.has_blocked(other)
    assert not other.has_blocked(user)


def test_nobody_can_block_themselves(user: User) -> None:
    with pytest.raises(IntegrityError):
        Block.objects.create(blocker=user, blocked=user)


@pytest.mark.django_db
def test_the_migration_keeps_permissions_on_blocks() -> None:
    ContentType.objects.filter(model="block").update(app_label="messaging")
    group = Group.objects.create(name="support")
    group.permissions.add(Permission.objects.get(codename="view_block"))
    import_module("accounts.migrations.0003_block").move_content_type(apps, None)
    assert [p.content_type.app_label for p in group.permissions.select_related("content_type")] == ["accounts"]
