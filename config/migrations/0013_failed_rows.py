from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models


class Migration(migrations.Migration):
    atomic = False  # the tables stay writable while their indexes are built

    dependencies = [("config", "0012_dashboard")]

    operations = [
        AddIndexConcurrently(
            model_name='backup',
            index=models.Index(condition=models.Q(('failed_at__isnull', False)), fields=['-failed_at'], name='backup_failed'),
        ),
        AddIndexConcurrently(
            model_name='discardedfile',
            index=models.Index(condition=models.Q(('failed_at__isnull', False)), fields=['-failed_at'], name='discarded_file_failed'),
        ),
        AddIndexConcurrently(
            model_name='outgoingmail',
            index=models.Index(condition=models.Q(('failed_at__isnull', False)), fields=['-failed_at'], name='outgoingmail_failed'),
        ),
        AddIndexConcurrently(
            model_name='webhookdelivery',
            index=models.Index(condition=models.Q(('failed_at__isnull', False)), fields=['-failed_at'], name='webhookdelivery_failed'),
        ),
    ]
