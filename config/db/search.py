"""Substring search without case and accents, in any script, by trigram indexes.

Index a column with ``GinIndex(OpClass(Fold("title"), name="gin_trgm_ops"), name=…)`` and filter it with
``contains_words(text, "title", "body")``: one of the columns must contain each word. Postgres uses the index for words
of three letters and more; it compares shorter words with the rows that the other conditions select.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import reduce
from operator import and_, or_
from typing import Any

from django.contrib.postgres.expressions import ArraySubquery
from django.db import connection, transaction
from django.db.models import BooleanField, CharField, Func, Q, QuerySet, TextField
from django.db.models.lookups import Lookup
from rest_framework.exceptions import ValidationError

from config.text import MAX_MARKS, folds_to_nothing, has_long_mark_run

MAX_WORDS = 20


class Fold(Func):
    """Lower case without accents and invisible characters, by ``public.atrium_fold`` (migration 0005)."""

    function = "public.atrium_fold"
    arity = 1
    output_field = TextField()


class FoldedContains(Lookup):
    """``column__folded_contains=word``: both sides are folded; ``%``, ``_`` and ``\\`` in the word are plain text."""

    lookup_name = "folded_contains"
    column = "public.atrium_fold(%s)"

    def as_sql(self, compiler, connection):
        left, left_params = self.process_lhs(compiler, connection)
        # Escaped after folding, because folding turns a full-width % into a plain one.
        word = "replace(replace(replace(public.atrium_fold(%s), '\\', '\\\\'), '%%', '\\%%'), '_', '\\_')"
        return f"{self.column % left} LIKE '%%' || {word} || '%%'", [*left_params, self.rhs]


class HasFolded(FoldedContains):
    """``column__has_folded=word`` for a column that contains folded text already."""

    lookup_name = "has_folded"
    column = "%s"


for field in (CharField, TextField):
    field.register_lookup(FoldedContains)
    field.register_lookup(HasFolded)


class IsAnyOf(Func):
    """``column = ANY (ARRAY(…) || ARRAY(…))`` of querysets with one column.

    Postgres plans and runs each subquery on its own. As a join, an estimate that is too high makes it read the whole
    list instead of the search index.
    """

    output_field = BooleanField()

    def __init__(self, column: Any, *querysets: QuerySet) -> None:
        # Unordered: for an order, Postgres may read a whole table by the index of its primary key.
        super().__init__(column, *(ArraySubquery(queryset.order_by()) for queryset in querysets))

    def as_sql(self, compiler, connection, *args, **extra):
        compiled = [compiler.compile(part) for part in self.get_source_expressions()]
        column, *arrays = (sql for sql, _ in compiled)
        return f"{column} = ANY ({' || '.join(arrays)})", [param for _, params in compiled for param in params]


@contextmanager
def only_index_scans() -> Iterator[None]:
    """Keep Postgres from scanning whole tables in this block, whatever its statistics say."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET LOCAL enable_seqscan = off")
        yield


def words(text: str) -> list[str]:
    """Return the distinct words of a search, without those that folding removes. NUL is dropped: no text contains it.

    Raises a validation error for more than MAX_WORDS words and for long runs of combining marks.
    """
    if has_long_mark_run(text):
        raise ValidationError({"search": [f"Enter at most {MAX_MARKS} combining marks in a row."]}, "too_many_marks")
    distinct = dict.fromkeys(word for word in text.replace("\x00", "").split() if not folds_to_nothing(word))
    if len(distinct) > MAX_WORDS:
        raise ValidationError({"search": [f"Enter at most {MAX_WORDS} words."]}, "too_many_words")
    return list(distinct)


def contains_words(text: str, *columns: str) -> Q:
    """Build the condition that each word of ``text`` is in one of ``columns``; without words it matches every row."""
    return reduce(
        and_,
        (reduce(or_, (Q(**{f"{column}__folded_contains": word}) for column in columns)) for word in words(text)),
        Q(),
    )
