import unicodedata

import django.contrib.postgres.indexes
from django.db import migrations, models
from django.db.models import BooleanField, F, Func, Q

import config.db.search
from config.text import remove_invisible

# Bytes of the content, for quotas.
SIZE = """
CREATE OR REPLACE FUNCTION public.notes_size(title text, body text, items jsonb) RETURNS integer
LANGUAGE sql IMMUTABLE PARALLEL SAFE
AS $$ SELECT octet_length(title) + octet_length(body) + octet_length(items::text) $$;
"""

# An item is an object with a text and a boolean "checked".
ITEMS_VALID = """
CREATE OR REPLACE FUNCTION public.notes_items_valid(items jsonb) RETURNS boolean
LANGUAGE sql IMMUTABLE PARALLEL SAFE
AS $$ SELECT CASE WHEN jsonb_typeof(items) = 'array' THEN NOT EXISTS (
    SELECT FROM jsonb_array_elements(items) AS item
    WHERE jsonb_typeof(item -> 'text') IS DISTINCT FROM 'string'
       OR jsonb_typeof(item -> 'checked') IS DISTINCT FROM 'boolean'
) ELSE false END $$;
"""

# Earlier versions stored incomplete items that came with PATCH.
REPAIR_ITEMS = """
UPDATE notes_note SET items = CASE WHEN jsonb_typeof(items) = 'array' THEN coalesce((
    SELECT jsonb_agg(jsonb_build_object(
        'text', coalesce(CASE WHEN jsonb_typeof(item -> 'text') = 'string' THEN item ->> 'text' END, ''),
        'checked', coalesce(item -> 'checked' = 'true'::jsonb, false)
    ) ORDER BY position)
    FROM jsonb_array_elements(items) WITH ORDINALITY AS each(item, position)
), '[]') ELSE '[]' END
WHERE NOT public.notes_items_valid(items);
"""


def label_key(name):
    visible = ' '.join(unicodedata.normalize('NFC', remove_invisible(name)).split())
    return unicodedata.normalize('NFC', visible.casefold())


def ignore_invisible_characters(apps, schema_editor):
    """Names that differ only in invisible characters are one label now; a label without a visible name gets one."""
    Label = apps.get_model('notes', 'Label')
    Labelling = apps.get_model('notes', 'MembershipLabel')
    for label in Label.objects.order_by('pk').iterator():
        key = label_key(label.name)
        if key == label.key:
            continue
        if not key:
            label.name = f'Label {label.pk}'
            key = label_key(label.name)
        twin = Label.objects.filter(owner_id=label.owner_id, key=key).exclude(pk=label.pk).first()
        if twin is None:
            Label.objects.filter(pk=label.pk).update(name=label.name, key=key)
            continue
        labelled = Labelling.objects.filter(label=twin).values('membership')
        Labelling.objects.filter(label=label).exclude(membership__in=labelled).update(label=twin)
        Labelling.objects.filter(label=label).delete()
        label.delete()


def restart_running_imports(apps, schema_editor):
    """The files of an archive are counted in another way now: an unfinished import begins anew."""
    imports = apps.get_model('notes', 'NoteImport').objects.filter(done_at=None, failed_at=None)
    imports.update(
        cursor=0, processed=0, created=0, duplicates=0, rejected=0, ignored=0, total=0, problems=[],
    )


class Migration(migrations.Migration):

    dependencies = [
        ('config', '0005_fold_by_property'),
        ('notes', '0002_imports_in_steps'),
    ]

    operations = [
        migrations.RunPython(ignore_invisible_characters, migrations.RunPython.noop),
        migrations.RunPython(restart_running_imports, migrations.RunPython.noop),
        migrations.RunSQL('SET CONSTRAINTS ALL IMMEDIATE', migrations.RunSQL.noop),
        migrations.RunSQL(SIZE, 'DROP FUNCTION public.notes_size(text, text, jsonb)'),
        migrations.RunSQL(ITEMS_VALID, 'DROP FUNCTION public.notes_items_valid(jsonb)'),
        migrations.RunSQL(REPAIR_ITEMS, migrations.RunSQL.noop),
        # The column was computed by the earlier fold.
        migrations.RemoveIndex(model_name='note', name='note_search'),
        migrations.RemoveField(model_name='note', name='search_text'),
        migrations.AddField(
            model_name='note',
            name='search_text',
            field=models.GeneratedField(db_persist=True, expression=Func(F('title'), F('body'), F('items'), function='public.notes_search_text'), output_field=models.TextField()),
        ),
        migrations.AddField(
            model_name='note',
            name='size',
            field=models.GeneratedField(db_persist=True, expression=Func(F('title'), F('body'), F('items'), function='public.notes_size'), output_field=models.IntegerField(help_text='Bytes.')),
        ),
        migrations.AddField(
            model_name='note',
            name='import_version',
            field=models.PositiveIntegerField(editable=False, help_text='The version that the import wrote; a later one was edited here.', null=True),
        ),
        migrations.AddField(
            model_name='label',
            name='folded',
            field=models.GeneratedField(db_persist=True, expression=config.db.search.Fold('name'), output_field=models.TextField()),
        ),
        migrations.AlterModelOptions(name='label', options={'ordering': ('folded', 'id')}),
        migrations.AddField(
            model_name='membership',
            name='withheld',
            field=models.BooleanField(db_default=False, editable=False, help_text='Shared by somebody whom the user had blocked; never shown.'),
        ),
        migrations.AddField(
            model_name='noteimport',
            name='updated',
            field=models.PositiveIntegerField(default=0),
        ),
        migrations.AddConstraint(
            model_name='note',
            constraint=models.CheckConstraint(condition=Func(F('items'), function='public.notes_items_valid', output_field=BooleanField()), name='note_items_valid'),
        ),
        migrations.AddIndex(
            model_name='note',
            index=django.contrib.postgres.indexes.GinIndex(F('owner') + 0, django.contrib.postgres.indexes.OpClass('search_text', name='gin_trgm_ops'), name='note_search_own'),
        ),
        migrations.AddIndex(
            model_name='note',
            index=models.Index(fields=['owner'], include=('size',), name='note_quota'),
        ),
        migrations.AddIndex(
            model_name='membership',
            index=models.Index(condition=~Q(role='owner'), fields=['user', 'note'], name='note_shared'),
        ),
    ]
