"""Data of earlier versions survives the migrations of trends."""

import pytest
from django.db import connection
from django.db.migrations.executor import MigrationExecutor

from trends.models import ImportRun, Trend

from .factories import TrendFactory


@pytest.mark.django_db(transaction=True)
def test_runs_of_the_first_version_keep_their_status_and_are_imported_again_only_if_unfinished() -> None:
    latest = MigrationExecutor(connection).loader.graph.leaf_nodes("trends")
    MigrationExecutor(connection).migrate([("trends", "0001_initial")])
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO trends_importrun (token, origin, name, key, size, sha256, error, backup, quarantine,"
            " attempts, total_rows, created, duplicates, rejected, done_at, failed_at) VALUES"
            " (gen_random_uuid(), 'inbox', 'done', '', 1, 'a', '', 'b', '', 1, 9, 8, 0, 1, now(), NULL),"
            " (gen_random_uuid(), 'inbox', 'clean', '', 1, 'a', '', 'b', '', 1, 9, 9, 0, 0, now(), NULL),"
            " (gen_random_uuid(), 'upload', 'failed', 'k', 1, '', 'why', '', 'q', 3, 0, 0, 0, 0, NULL, now()),"
            " (gen_random_uuid(), 'upload', 'waits', 'k', 1, '', '', '', '', 0, 0, 0, 0, 0, NULL, NULL),"
            " (gen_random_uuid(), 'upload', 'began', 'k', 1, '', '', '', '', 1, 0, 0, 0, 0, NULL, NULL)"
        )
    MigrationExecutor(connection).migrate(latest)
    runs = {run.name: (run.status, run.is_stored, run.created) for run in ImportRun.objects.all()}
    assert runs == {
        "done": ("completed_with_errors", True, 8),
        "clean": ("completed", True, 9),
        "failed": ("failed", False, 0),
        "waits": ("queued", False, 0),
        "began": ("processing", False, 0),
    }
    assert ImportRun.objects.first_import_of("a").name == "done"


@pytest.mark.django_db(transaction=True)
def test_quotation_marks_that_an_earlier_version_stored_are_removed() -> None:
    latest = MigrationExecutor(connection).loader.graph.leaf_nodes("trends")
    MigrationExecutor(connection).migrate([("trends", "0004_search_text")])
    misread = {
        "macrotrend": '"Agents"', "challenges_and_research_gaps": ' "He said ""no"""', "relevant_industries": ' ""',
        "real_world_application_and_use_cases": ' "two\nlines"\t',
    }  # fmt: skip
    right = {
        "macrotrend": "Agents", "challenges_and_research_gaps": 'He said "no"', "relevant_industries": "",
        "real_world_application_and_use_cases": "two\nlines",
    }  # fmt: skip
    repaired = TrendFactory(megatrend="AI", **misread)
    TrendFactory(megatrend="imported again", **misread)
    again = TrendFactory(megatrend="imported again", **right)
    kept = TrendFactory(macrotrend='"Agents"', challenges_and_research_gaps=' "quoted" word', relevant_industries='""')
    MigrationExecutor(connection).migrate(latest)
    assert Trend.objects.values(*right).get(pk=repaired.pk) == right
    assert list(Trend.objects.order_by("pk").values_list("pk", flat=True)) == [repaired.pk, again.pk, kept.pk]
    assert Trend.objects.values_list("macrotrend", "challenges_and_research_gaps", "relevant_industries").get(
        pk=kept.pk
    ) == ('"Agents"', ' "quoted" word', '""')
