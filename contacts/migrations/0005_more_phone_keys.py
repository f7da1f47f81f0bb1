import re
import unicodedata

from django.db import migrations

from config.text import remove_invisible

SEPARATOR = re.compile(r'[/⁄∕\t•·∙⋅・･]')
FULL_WIDTH = str.maketrans('＋．／，－（）', '+./,-()')
FLOAT = re.compile(r'(\+?[0-9]+)[.,]0\Z|(\+?[0-9]{7,})[.,]00\Z', re.ASCII)
BATCH = 5000


def repaired(phone_number):
    """Return the digits of a number that earlier versions joined with something else, or an empty text."""
    text = remove_invisible(phone_number).strip().translate(FULL_WIDTH)
    text = ''.join(str(unicodedata.decimal(char, char)) for char in text)
    if found := FLOAT.match(text):
        number = found[1] or found[2]
    else:
        number = next(iter(text.splitlines()), '')
        parts = SEPARATOR.split(number)
        if len(parts) == 2 and not number.startswith(('+', '00')) and min(map(count_digits, parts)) >= 7:
            number = parts[0]
        if number == text:
            return ''
    digits = ''.join(filter(str.isdecimal, number)).removeprefix('00')
    return digits if 2 <= len(digits) <= 15 else ''


def count_digits(text):
    return sum(map(str.isdecimal, text))


def repair(apps, schema_editor):
    """Continue 0004, which reads neither invisible characters, nor other digits than ASCII, nor other separators."""
    for name in ('Contact', 'UnprocessedContact'):
        rows = apps.get_model('contacts', name).objects
        # Plain numbers need no second look.
        suspects = rows.filter(phone_number__regex=r'[^0-9+() -]').exclude(phone_key='').only('phone_number', 'phone_key')
        changed = []
        for row in suspects.order_by('pk').iterator(BATCH):
            key = repaired(row.phone_number)
            if key and key != row.phone_key:
                row.phone_key = key
                changed.append(row)
        rows.bulk_update(changed, ['phone_key'], batch_size=BATCH)


class Migration(migrations.Migration):
    dependencies = [('contacts', '0004_phone_keys')]

    operations = [migrations.RunPython(repair, migrations.RunPython.noop)]
