from django.db import migrations

# The service's own table of files to remove does what this app's did.
MOVE = """
INSERT INTO config_discardedfile (key, attempts, error) SELECT key, 0, '' FROM contacts_discardedfile ORDER BY id
"""


class Migration(migrations.Migration):
    dependencies = [("contacts", "0001_initial"), ("config", "0002_search")]

    operations = [
        migrations.RunSQL(MOVE, migrations.RunSQL.noop),
        migrations.DeleteModel("DiscardedFile"),
    ]
