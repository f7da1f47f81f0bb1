from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models


class Migration(migrations.Migration):
    atomic = False  # the table stays writable while its index is built

    dependencies = [("config", "0013_failed_rows")]

    operations = [
        AddIndexConcurrently(
            model_name='webhookdelivery',
            index=models.Index(condition=models.Q(('done_at', None), ('failed_at', None)), fields=['due_at', 'id'], name='webhookdelivery_due'),
        ),
    ]
