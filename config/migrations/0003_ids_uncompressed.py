from django.db import migrations


class Migration(migrations.Migration):

    dependencies = [
        ('config', '0002_search'),
    ]

    operations = [
        # Ids of thousands of people live for seconds here: to compress them takes longer than to store them as they are.
        migrations.RunSQL(
            'ALTER TABLE config_outgoingevent ALTER COLUMN user_ids SET STORAGE EXTERNAL',
            'ALTER TABLE config_outgoingevent ALTER COLUMN user_ids SET STORAGE EXTENDED',
        ),
    ]
