from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models


class Migration(migrations.Migration):
    atomic = False  # the tables stay writable while their indexes are built

    dependencies = [
        ('accounts', '0010_personal_token'),
    ]

    operations = [
        AddIndexConcurrently(
            model_name='accountlink',
            index=models.Index(condition=models.Q(('failed_at__isnull', False)), fields=['-failed_at'], name='accountlink_failed'),
        ),
        AddIndexConcurrently(
            model_name='invitation',
            index=models.Index(condition=models.Q(('failed_at__isnull', False)), fields=['-failed_at'], name='invitation_failed'),
        ),
    ]
