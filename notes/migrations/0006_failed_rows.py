from django.conf import settings
from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models


class Migration(migrations.Migration):
    atomic = False  # the tables stay writable while their indexes are built

    dependencies = [
        ('notes', '0005_import_status_choices'),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        AddIndexConcurrently(
            model_name='noteimport',
            index=models.Index(condition=models.Q(('failed_at__isnull', False)), fields=['-failed_at'], name='noteimport_failed'),
        ),
        AddIndexConcurrently(
            model_name='reminder',
            index=models.Index(condition=models.Q(('failed_at__isnull', False)), fields=['-failed_at'], name='reminder_failed'),
        ),
    ]
