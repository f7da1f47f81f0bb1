from django.db import migrations

# Earlier versions read 15551234567.0 as 155512345670, and joined the digits of two numbers on two lines of a cell. The key
# becomes what it would be now; of two numbers it becomes the first, because the row is stored already.
REPAIR = """
UPDATE {table} AS contact SET phone_key = repaired.phone_key
FROM (
    SELECT id, regexp_replace(regexp_replace(number, '[^0-9]', '', 'g'), '^00', '') AS phone_key
    FROM (
        SELECT id, CASE
            WHEN text ~ '^[+]?[0-9]+[.]0$' OR text ~ '^[+]?[0-9]{{7,}}[.]00$' THEN split_part(text, '.', 1)
            WHEN text ~ '[0-9][^0-9]*[\\n\\r][^0-9]*[0-9]' THEN regexp_replace(text, '[\\n\\r].*$', '')
        END AS number
        FROM (SELECT id, btrim(phone_number, E' \\t\\n\\r') AS text FROM {table} WHERE phone_number ~ '[.\\n\\r]') AS texts
    ) AS numbers
    WHERE number IS NOT NULL
) AS repaired
WHERE contact.id = repaired.id AND contact.phone_key <> repaired.phone_key
  AND length(repaired.phone_key) BETWEEN 2 AND 15
"""


class Migration(migrations.Migration):
    dependencies = [("contacts", "0003_import_job")]

    operations = [
        migrations.RunSQL(REPAIR.format(table=table), migrations.RunSQL.noop)
        for table in ("contacts_contact", "contacts_unprocessedcontact")
    ]
