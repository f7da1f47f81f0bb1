"""Swagger, Redoc and the admin bring scripts of their own: they work under this site's policy and ask nobody else."""

import pytest
from django.contrib import admin
from django.urls import reverse

from tests.factories import UserFactory


@pytest.mark.parametrize("path, ready", [("/swagger/", ".swagger-ui .info"), ("/redoc/", ".redoc-wrap h1")])
def test_the_reference_is_drawn(browse, path, ready):
    page = browse(path)
    page.wait_for_selector(ready)
    page.get_by_role("link", name="Atrium", exact=True).click()
    page.get_by_role("heading", level=1, name="under one roof").wait_for()


def test_staff_sign_in_at_the_admin(browse, transactional_db):
    UserFactory(username="root1", is_staff=True, is_superuser=True)
    page = browse("/admin/")
    page.get_by_label("Username").fill("root1")
    page.get_by_label("Password").fill("correct horse battery staple")
    page.get_by_role("button", name="Log in").click()
    page.get_by_role("heading", name="Site administration").wait_for()


def test_every_table_of_the_admin_opens(browse, transactional_db, rf):
    staff = UserFactory(is_staff=True, is_superuser=True)
    page = browse("/admin/", user=staff)
    request = rf.get("/admin/")
    request.user = staff
    for model, its_admin in admin.site._registry.items():
        name = f"admin:{model._meta.app_label}_{model._meta.model_name}"
        assert page.goto(reverse(f"{name}_changelist")).status == 200, name
        if its_admin.has_add_permission(request):
            assert page.goto(reverse(f"{name}_add")).status == 200, name


def test_whose_rights_are_chosen_fits_the_window(browse, transactional_db):
    staff = UserFactory(is_staff=True, is_superuser=True)
    page = browse(f"/admin/accounts/user/{staff.pk}/change/", user=staff)
    page.get_by_text("Chosen user permissions").wait_for()
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_which_task_runs_can_be_seen_and_chosen(browse, transactional_db):
    page = browse("/admin/django_celery_beat/periodictask/add/", user=UserFactory(is_staff=True, is_superuser=True))
    for label in ("Task (registered)", "Task (custom)"):
        border = page.get_by_label(label).evaluate("field => getComputedStyle(field).borderTopWidth")
        assert border != "0px", label
    page.get_by_label("Task (registered)").select_option("notes.tasks.purge_trash")
