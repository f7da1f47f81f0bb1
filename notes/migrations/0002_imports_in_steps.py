from django.db import migrations, models
from django.db.models import Case, F, Value, When
from django.db.models.functions import Coalesce


def start_running_imports(apps, schema_editor):
    """``status`` is derived from ``started_at`` now, and the position is in ``cursor``."""
    imports = apps.get_model('notes', 'NoteImport').objects
    imports.exclude(status='queued').update(started_at=F('created_at'), cursor=F('processed'))


class Migration(migrations.Migration):

    dependencies = [
        ('notes', '0001_initial'),
    ]

    operations = [
        migrations.AddField(
            model_name='noteimport',
            name='cursor',
            field=models.PositiveIntegerField(default=0, editable=False, help_text='How far the file has been imported.'),
        ),
        migrations.AddField(
            model_name='noteimport',
            name='epoch',
            field=models.PositiveIntegerField(default=0, editable=False, help_text='How often a worker has claimed it.'),
        ),
        migrations.AddField(
            model_name='noteimport',
            name='error_code',
            field=models.CharField(blank=True, max_length=40),
        ),
        migrations.AddField(
            model_name='noteimport',
            name='started_at',
            field=models.DateTimeField(editable=False, null=True),
        ),
        migrations.RunPython(start_running_imports, migrations.RunPython.noop),
        # Postgres cannot turn a column into a generated one.
        migrations.RemoveField(model_name='noteimport', name='status'),
        migrations.RemoveField(model_name='noteimport', name='finished_at'),
        migrations.AddField(
            model_name='noteimport',
            name='finished_at',
            field=models.GeneratedField(db_persist=True, expression=Coalesce('done_at', 'failed_at'), output_field=models.DateTimeField(null=True)),
        ),
        migrations.AddField(
            model_name='noteimport',
            name='status',
            field=models.GeneratedField(db_persist=True, expression=Case(When(failed_at__isnull=False, then=Value('failed')), When(done_at__isnull=False, rejected__gt=0, then=Value('completed_with_errors')), When(done_at__isnull=False, then=Value('completed')), When(started_at__isnull=True, then=Value('queued')), default=Value('processing')), output_field=models.CharField(choices=[('uploading', 'being uploaded'), ('queued', 'queued'), ('processing', 'processing'), ('completed', 'completed'), ('completed_with_errors', 'completed with errors'), ('failed', 'failed')], max_length=30)),
        ),
        migrations.AlterField(
            model_name='label',
            name='key',
            field=models.CharField(editable=False, help_text='The name without case.', max_length=300),
        ),
        migrations.AlterField(
            model_name='note',
            name='import_digest',
            field=models.BinaryField(help_text='Identifies the imported note.', max_length=32, null=True),
        ),
        migrations.AlterField(
            model_name='noteimport',
            name='file',
            field=models.CharField(editable=False, help_text='Storage key, until the import ends.', max_length=200),
        ),
        migrations.AlterField(
            model_name='noteimport',
            name='ignored',
            field=models.PositiveIntegerField(default=0, help_text='Files in the archive that are not notes.'),
        ),
        migrations.AlterField(
            model_name='noteimport',
            name='name',
            field=models.CharField(help_text="The file's name as it was uploaded.", max_length=255),
        ),
    ]
