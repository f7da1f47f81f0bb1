"""Migrations keep the data of the previous version."""

import pytest
from django.db import connection
from django.db.migrations.executor import MigrationExecutor

from messaging.models import MessageRecipient

from .people import URL, Person


@pytest.mark.django_db(transaction=True)
def test_messages_deleted_before_the_upgrade_leave_the_unread_counts(ada: Person, bob: Person) -> None:
    deleted = ada.send("Oops", bob)
    ada.send("Still here", bob)
    ada.client.delete(f"{URL}{deleted['id']}/")
    latest = MigrationExecutor(connection).loader.graph.leaf_nodes("messaging")
    MigrationExecutor(connection).migrate([("messaging", "0003_block_moves_to_accounts")])
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT count(*) FROM messaging_messagerecipient WHERE read_at IS NULL")
            assert cursor.fetchone() == (2,)
    finally:
        MigrationExecutor(connection).migrate(latest)
    assert bob.unread() == 1
    assert list(MessageRecipient.objects.order_by("pk").values_list("deleted", flat=True)) == [True, False]
