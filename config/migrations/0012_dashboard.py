import django.db.models.functions.datetime
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('config', '0011_backups'),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name='DismissedJob',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('table', models.CharField(help_text='Label of the job model, such as config.outgoingmail.', max_length=60)),
                ('row', models.BigIntegerField(help_text='ID of the row.')),
                ('at', models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
            ],
            options={
                'ordering': ('-id',),
            },
        ),
        migrations.CreateModel(
            name='Figure',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('day', models.DateField()),
                ('name', models.CharField(max_length=30)),
                ('value', models.BigIntegerField()),
            ],
            options={
                'ordering': ('-day', 'name'),
            },
        ),
        migrations.AddConstraint(
            model_name='dismissedjob',
            constraint=models.UniqueConstraint(fields=('table', 'row'), name='dismissedjob_once_a_row'),
        ),
        migrations.AddConstraint(
            model_name='figure',
            constraint=models.UniqueConstraint(fields=('day', 'name'), name='figure_once_a_day'),
        ),
    ]
