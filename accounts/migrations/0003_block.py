import django.db.models.deletion
import django.db.models.functions.datetime
from django.conf import settings
from django.db import migrations, models


def move_content_type(apps, schema_editor):
    """Keep the permissions that groups have on blocks: they belong to the content type."""
    content_types = apps.get_model("contenttypes", "ContentType").objects
    if not content_types.filter(app_label="accounts", model="block").exists():
        content_types.filter(app_label="messaging", model="block").update(app_label="accounts")


class Migration(migrations.Migration):
    """Moves the model Block from messaging to accounts. Its table does not change."""

    dependencies = [
        ("accounts", "0002_plain_texts"),
        ("contenttypes", "0002_remove_content_type_name"),
        ("messaging", "0002_broadcasts_in_batches"),
    ]

    operations = [
        migrations.SeparateDatabaseAndState(
            state_operations=[
                migrations.CreateModel(
                    name="Block",
                    fields=[
                        ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                        ("created_at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                        ("blocked", models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name="+", to=settings.AUTH_USER_MODEL)),
                        ("blocker", models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name="+", to=settings.AUTH_USER_MODEL)),
                    ],
                    options={
                        "db_table": "messaging_block",
                        "ordering": ("-id",),
                        "constraints": [
                            models.UniqueConstraint(fields=("blocker", "blocked"), name="block_once"),
                            models.CheckConstraint(condition=models.Q(("blocker", models.F("blocked")), _negated=True), name="block_somebody_else"),
                        ],
                    },
                ),
            ],
        ),
        migrations.RunPython(move_content_type, migrations.RunPython.noop),
    ]
