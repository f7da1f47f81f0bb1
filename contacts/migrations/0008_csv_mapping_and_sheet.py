from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('contacts', '0007_undo_and_deletion'),
    ]

    operations = [
        migrations.AddField(
            model_name='filemetadata',
            name='encoding',
            field=models.CharField(blank=True, db_default='', help_text='The text encoding of a CSV file; empty for a workbook.', max_length=40),
        ),
        migrations.AddField(
            model_name='filemetadata',
            name='mapping',
            field=models.JSONField(help_text='The columns of each field. Null: the file has exactly the three columns.', null=True),
        ),
        migrations.AddField(
            model_name='filemetadata',
            name='sheet',
            field=models.CharField(blank=True, db_default='', help_text='The chosen sheet. Empty: the first visible one.', max_length=255),
        ),
    ]
