from django.db import migrations


class Migration(migrations.Migration):
    """accounts.Block takes over the table of Block."""

    dependencies = [
        ("messaging", "0002_broadcasts_in_batches"),
        ("accounts", "0003_block"),
    ]

    operations = [
        migrations.SeparateDatabaseAndState(state_operations=[migrations.DeleteModel(name="Block")]),
    ]
