from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models
from django.db.models.functions import Left

from config.db.search import Fold


class Migration(migrations.Migration):
    """Index the names, by which the list of contacts can be sorted. Rows can be stored while the index is built."""

    atomic = False

    dependencies = [("contacts", "0010_failed_rows")]

    operations = [
        AddIndexConcurrently(
            "contact",
            models.Index(
                models.F("owner"), Left(Fold("name"), 100), models.F("id"), name="contact_by_name"
            ),
        )
    ]
