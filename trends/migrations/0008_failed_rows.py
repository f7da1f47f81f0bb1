from django.conf import settings
from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models


class Migration(migrations.Migration):
    atomic = False  # the tables stay writable while their indexes are built

    dependencies = [
        ('trends', '0007_updates'),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        AddIndexConcurrently(
            model_name='importrun',
            index=models.Index(condition=models.Q(('failed_at__isnull', False)), fields=['-failed_at'], name='importrun_failed'),
        ),
    ]
