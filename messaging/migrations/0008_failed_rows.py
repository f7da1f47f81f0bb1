from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models


class Migration(migrations.Migration):
    atomic = False  # the tables stay writable while their indexes are built

    dependencies = [
        ('messaging', '0007_search'),
    ]

    operations = [
        AddIndexConcurrently(
            model_name='broadcastbatch',
            index=models.Index(condition=models.Q(('failed_at__isnull', False)), fields=['-failed_at'], name='broadcast_failed'),
        ),
    ]
