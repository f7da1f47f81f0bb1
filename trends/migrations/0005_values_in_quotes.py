import re

from django.db import IntegrityError, migrations, transaction
from django.db.models import Q

NAMES = ('megatrend', 'macrotrend')
FREE_TEXTS = ('challenges_and_research_gaps', 'relevant_industries', 'real_world_application_and_use_cases')
SPACE = r'[ \t\u00A0\u200B\u202F\u3000\uFEFF]'
MISREAD = rf'^{SPACE}+"([^"]|"")*"{SPACE}*$'
IN_QUOTES = re.compile(rf'{SPACE}*"((?:[^"]|"")*)"{SPACE}*')


def without_quotes(value):
    found = IN_QUOTES.fullmatch(value)
    return found[1].replace('""', '"') if found else value


def repair(apps, schema_editor):
    """Earlier versions stored the quotation marks of a value that the file has behind a space: ``a; "b"; "c"``.

    Only free texts still have the space, so a row is repaired if one of them shows it; then its names are too.
    """
    Trend = apps.get_model('trends', 'Trend')
    misread = Q()
    for name in FREE_TEXTS:
        misread |= Q(**{f'{name}__regex': MISREAD})
    for trend in Trend.objects.filter(misread).order_by('pk').iterator(1000):
        changed = {name: without_quotes(getattr(trend, name)) for name in NAMES + FREE_TEXTS}
        for name in NAMES:
            changed[name] = changed[name].strip() or getattr(trend, name)
        try:
            with transaction.atomic():
                Trend.objects.filter(pk=trend.pk).update(**changed)
        except IntegrityError:  # the file has been imported again since
            trend.delete()


class Migration(migrations.Migration):
    dependencies = [('trends', '0004_search_text')]

    operations = [migrations.RunPython(repair, migrations.RunPython.noop)]
