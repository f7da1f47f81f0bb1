from django.contrib.postgres.operations import BtreeGinExtension, TrigramExtension, UnaccentExtension
from django.db import migrations

# Immutable, so that it can be indexed: unaccent() itself only is stable, because its dictionary could be changed.
# A sigma at the end of a word is the same letter as one inside it. Before that goes what one spelling has and another has
# not: the points of Hebrew and Arabic, and what nobody sees (soft hyphens, joiners, the style of an emoji).
FOLD = r"""
CREATE OR REPLACE FUNCTION public.atrium_fold(value text) RETURNS text
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
AS $$ SELECT translate(lower(public.unaccent('public.unaccent'::regdictionary, regexp_replace(normalize(value, NFKC),
    '[\u0591-\u05BD\u05BF\u05C1\u05C2\u05C4\u05C5\u05C7'
    '\u0610-\u061A\u0640\u064B-\u065F\u0670\u06D6-\u06DC\u06DF-\u06E4\u06E7\u06E8\u06EA-\u06ED'
    '\u00AD\u200B-\u200F\u2060\uFEFF\uFE00-\uFE0F]', '', 'g'))), 'ς', 'σ') $$;
"""


class Migration(migrations.Migration):
    dependencies = [("config", "0001_initial")]

    operations = [
        TrigramExtension(),
        UnaccentExtension(),
        BtreeGinExtension(),
        migrations.RunSQL(FOLD, "DROP FUNCTION public.atrium_fold(text)"),
    ]
