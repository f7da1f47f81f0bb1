from django.db import migrations, models


def mark_chosen(apps, schema_editor):
    """Another time zone than the default was chosen by its user."""
    apps.get_model('accounts', 'UserProfile').objects.exclude(timezone='UTC').update(has_timezone=True)


class Migration(migrations.Migration):

    dependencies = [
        ('accounts', '0011_failed_rows'),
    ]

    operations = [
        migrations.AddField(
            model_name='userprofile',
            name='has_timezone',
            field=models.BooleanField(db_default=False, default=False, editable=False, help_text='Whether the user or their browser has set the time zone.'),
        ),
        migrations.RunPython(mark_chosen, migrations.RunPython.noop, elidable=True),
    ]
