from django.conf import settings
from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models


class Migration(migrations.Migration):
    atomic = False  # the tables stay writable while their indexes are built

    dependencies = [
        ('contacts', '0009_gates_without_like_index'),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        AddIndexConcurrently(
            model_name='filemetadata',
            index=models.Index(condition=models.Q(('failed_at__isnull', False)), fields=['-failed_at'], name='filemetadata_failed'),
        ),
        AddIndexConcurrently(
            model_name='uploadundo',
            index=models.Index(condition=models.Q(('failed_at__isnull', False)), fields=['-failed_at'], name='uploadundo_failed'),
        ),
    ]
