"""Substring search without regard to case or accents, in any script, by trigram indexes.

A column is indexed as ``GinIndex(OpClass(Fold("title"), name="gin_trgm_ops"), name=…)`` and asked with
``contains_words(text, "title", "body")``: every word must stand somewhere in one of the columns. Postgres uses the
index for words of three letters and more; shorter ones are checked on the rows that the rest of the query leaves.
"""

from functools import reduce
from operator import and_, or_

from django.db.models import CharField, Func, Q, TextField
from django.db.models.lookups import Lookup
from rest_framework.exceptions import ValidationError

MAX_WORDS = 20


class Fold(Func):
    """Lower case without accents, by the immutable function of migration 0002."""

    function = "public.atrium_fold"
    arity = 1
    output_field = TextField()


class FoldedContains(Lookup):
    """``column__folded_contains=word``: both sides folded, and the word's ``%``, ``_`` and ``\\`` plain text."""

    lookup_name = "folded_contains"
    column = "public.atrium_fold(%s)"

    def as_sql(self, compiler, connection):
        left, left_params = self.process_lhs(compiler, connection)
        # Escaped after folding, because folding makes a plain % of a full-width one.
        word = "replace(replace(replace(public.atrium_fold(%s), '\\', '\\\\'), '%%', '\\%%'), '_', '\\_')"
        return f"{self.column % left} LIKE '%%' || {word} || '%%'", [*left_params, self.rhs]


class HasFolded(FoldedContains):
    """The same for a column that holds folded text already, such as a generated one."""

    lookup_name = "has_folded"
    column = "%s"


for field in (CharField, TextField):
    field.register_lookup(FoldedContains)
    field.register_lookup(HasFolded)


def words(text: str) -> list[str]:
    """The words of a search, each once; NUL, which no text in Postgres holds, matches nothing and is dropped.

    More than twenty are a validation error: to leave some out would find what was not asked for.
    """
    found = list(dict.fromkeys(text.replace("\x00", "").split()))
    if len(found) > MAX_WORDS:
        raise ValidationError({"search": [f"A search has at most {MAX_WORDS} words."]}, "too_many_words")
    return found


def contains_words(text: str, *columns: str) -> Q:
    """Every word of ``text`` stands in at least one of ``columns``; no word at all matches every row."""
    return reduce(
        and_,
        (reduce(or_, (Q(**{f"{column}__folded_contains": word}) for column in columns)) for word in words(text)),
        Q(),
    )
