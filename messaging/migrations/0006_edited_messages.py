from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("messaging", "0005_deleted_messages")]

    operations = [
        migrations.AddField(
            model_name="message", name="edited_at", field=models.DateTimeField(editable=False, null=True)
        ),
    ]
