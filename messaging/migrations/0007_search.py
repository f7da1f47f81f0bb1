from django.contrib.postgres.indexes import GinIndex, OpClass
from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models

from config.db.search import Fold


class Migration(migrations.Migration):
    """Indexes for search and for the list of edited messages. Messages can be sent while they are built."""

    atomic = False

    dependencies = [("messaging", "0006_edited_messages"), ("config", "0005_fold_by_property")]

    operations = [
        AddIndexConcurrently(
            model_name="message",
            index=models.Index(
                condition=models.Q(("edited_at__isnull", False)), fields=["edited_at"], name="message_edited"
            ),
        ),
        AddIndexConcurrently(
            model_name="message",
            index=GinIndex(OpClass(Fold("body"), name="gin_trgm_ops"), name="message_search"),
        ),
    ]
