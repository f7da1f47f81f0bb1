"""Migrations run while people work: none may block a table for long, or break the version that is still running.

Each new migration is checked by the SQL that it sends. What is dangerous needs an entry in ``ALLOWED`` with its reason.
"""

import re
from collections.abc import Iterator

import pytest
from django.db import connection
from django.db.migrations import Migration, RunPython
from django.db.migrations.loader import MigrationLoader

pytestmark = pytest.mark.django_db(transaction=True)
OURS = ("accounts", "config", "contacts", "messaging", "notes", "trends")

# What is dangerous: its name, and the statement that does it to a table that existed before the migration.
DANGERS = (
    ("index", r"CREATE (UNIQUE )?INDEX (?!CONCURRENTLY)"),  # nobody can write until it is built
    ("rewrite", r"ALTER TABLE .*(ADD COLUMN .* GENERATED ALWAYS AS .* STORED|ALTER COLUMN .* TYPE )"),
    ("scan", r"ALTER TABLE .*(ADD CONSTRAINT (?!.*NOT VALID)|SET NOT NULL|ADD PRIMARY KEY)"),
    ("reindex", r"REINDEX (?!.*CONCURRENTLY)"),
    # The version that still runs reads or writes the column, or does not know that it must.
    ("drop", r"ALTER TABLE .*(DROP COLUMN|RENAME)|DROP TABLE"),
    ("no default", r"ALTER TABLE .*ALTER COLUMN .* DROP DEFAULT"),
    ("rows", r"(UPDATE|DELETE FROM) "),  # in the transaction of the migration, so its locks last until the end
)

# What is allowed, and why. The processes are stopped for the upgrade to 1.0.0 (docs/operations.md, "Upgrades"), so that
# its migrations may lock tables. A new entry needs a reason of its own: most dangers can be avoided by
# AddIndexConcurrently, by db_default, by NOT VALID with a later VALIDATE, or by removing a column one version later.
ALLOWED = {
    "accounts.0003_block": {"rows"},  # one row of content types
    "accounts.0004_pending_registrations": {"index"},  # of a new column of a table that is emptied every 90 days
    "accounts.0005_move_unconfirmed_users": {"rows"},  # 1.0.0
    "accounts.0012_profile_has_timezone": {"rows"},  # 1.0.0: the profiles with another zone than the default
    "config.0005_fold_by_property": {"reindex"},  # 1.0.0: every folded text is another
    "config.0006_mail_of_user": {"index", "no default"},  # 1.0.0
    "config.0007_assign_mail_to_users": {"rows"},  # 1.0.0
    "config.0008_slots_of_generations": {"scan"},  # 1.0.0: another primary key
    "contacts.0002_files_to_discard": {"drop"},  # before the first version
    "contacts.0003_import_job": {"drop", "rewrite", "rows"},  # 1.0.0: a row for each upload
    "contacts.0004_phone_keys": {"rows"},  # 1.0.0: repairs what was read wrongly
    "contacts.0005_more_phone_keys": {"rows"},  # 1.0.0
    "contacts.0007_undo_and_deletion": {"drop", "rewrite", "scan"},  # 1.0.0: a row for each upload
    "contacts.0012_folded_texts": {"drop", "index", "rewrite"},  # 1.0.0: new stored columns
    "messaging.0002_broadcasts_in_batches": {"drop", "index", "scan"},  # before the first version
    "messaging.0004_deleted_receipts": {"index", "rows"},  # 1.0.0: the indexes contain the new column
    "messaging.0005_deleted_messages": {"index"},  # 1.0.0
    "notes.0002_imports_in_steps": {"drop", "no default", "rewrite", "rows"},  # 1.0.0: a row for each import
    "notes.0003_real_input": {"drop", "index", "no default", "rewrite", "rows", "scan"},  # 1.0.0: another search text
    "notes.0004_shared_index_by_user": {"index"},  # 1.0.0
    "trends.0002_import_runs_in_steps": {"drop", "no default", "rewrite", "rows"},  # 1.0.0: a row for each import
    "trends.0004_search_text": {"index", "rewrite"},  # 1.0.0: a new stored column
    "trends.0005_values_in_quotes": {"rows"},  # 1.0.0: repairs what was read wrongly
}


def findings(migration: Migration, state: object) -> Iterator[str]:
    """Return the names of what is dangerous in one migration."""
    with connection.schema_editor(collect_sql=True, atomic=migration.atomic) as editor:
        migration.apply(state, editor, collect_sql=True)
    statements = [
        " ".join(re.sub(r"^\s*--.*$", "", text, flags=re.MULTILINE).split())
        for text in ";".join(editor.collected_sql).split(";")
    ]
    new = {match[1] for text in statements if (match := re.match(r'CREATE TABLE "?(\w+)"?', text))}
    for text in statements:
        if any(re.search(rf'\b(TABLE|ON|UPDATE|FROM) "?{table}"?\b', text) for table in new):
            continue
        for name, pattern in DANGERS:
            if re.search(pattern, text, re.IGNORECASE):
                yield name
    if any(isinstance(operation, RunPython) for operation in migration.operations):
        yield "rows"


def found() -> dict[str, set[str]]:
    """Return what is dangerous in each migration of this project."""
    loader = MigrationLoader(connection, replace_migrations=False)
    result = {}
    for key, migration in sorted(loader.graph.nodes.items(), key=lambda each: str(each[0])):
        if key[0] in OURS and migration and not key[1].startswith("0001"):
            state = loader.project_state(key, at_end=False)
            if names := set(findings(loader.disk_migrations[key], state)):
                result[".".join(key)] = names
    return result


def test_no_migration_blocks_a_table_or_breaks_the_running_version_without_a_reason() -> None:
    assert found() == ALLOWED
