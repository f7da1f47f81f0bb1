from django.contrib.postgres.operations import BtreeGinExtension, TrigramExtension, UnaccentExtension
from django.db import migrations

# Immutable, so that it can be indexed: unaccent() itself only is stable, because its dictionary could be changed.
# A sigma at the end of a word is the same letter as one inside it.
FOLD = """
CREATE OR REPLACE FUNCTION public.atrium_fold(value text) RETURNS text
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
AS $$ SELECT translate(lower(public.unaccent('public.unaccent'::regdictionary, normalize(value, NFKC))), 'ς', 'σ') $$;
"""


class Migration(migrations.Migration):
    dependencies = [("config", "0001_initial")]

    operations = [
        TrigramExtension(),
        UnaccentExtension(),
        BtreeGinExtension(),
        migrations.RunSQL(FOLD, "DROP FUNCTION public.atrium_fold(text)"),
    ]
