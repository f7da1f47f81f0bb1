"""What holds for every table of the admin."""

import pytest
from django.apps import apps
from django.contrib import admin
from django.test import Client
from unfold.admin import ModelAdmin

from accounts.backends import BACKEND

# Django's own bookkeeping, and tables that other tables' pages show.
ELSEWHERE = {
    "Permission", "ContentType", "Session", "LogEntry", "PeriodicTasks", "ChordCounter", "AccessAttemptExpiration",
}  # fmt: skip


@pytest.fixture
def desk(staff):
    browser = Client(raise_request_exception=False)
    browser.force_login(staff, backend=BACKEND)
    return browser


def test_every_table_is_there_in_the_same_look():
    assert {model.__name__ for model in apps.get_models() if not admin.site.is_registered(model)} <= ELSEWHERE
    assert [model.__name__ for model, page in admin.site._registry.items() if not isinstance(page, ModelAdmin)] == []


def test_no_table_s_list_fails_whatever_its_address_says(desk):
    for model in admin.site._registry:
        path = f"/admin/{model._meta.app_label}/{model._meta.model_name}/"
        for query in ("", "?q=%00", "?q=%25_\\'", "?p=99999", "?p=x", "?o=99", "?nonsense=1", "?id__exact=x"):
            assert desk.get(path + query).status_code in (200, 302), path + query


@pytest.mark.parametrize("ids", [["abc"], ["1", ""], ["\x00"], ["9" * 30]])
def test_forged_ids_of_an_action_are_no_500(desk, ids):
    for model in admin.site._registry:
        path = f"/admin/{model._meta.app_label}/{model._meta.model_name}/"
        for action in ("delete_selected", "nonsense"):
            answer = desk.post(path, {"action": action, "_selected_action": ids})
            assert answer.status_code < 500, path
