"""Swagger, Redoc and the admin: their scripts work under this site's Content-Security-Policy."""

from collections.abc import Callable
from typing import Any

import pytest
from django.contrib import admin
from django.test import RequestFactory
from django.urls import reverse

from tests.factories import UserFactory


@pytest.mark.parametrize("path, ready", [("/swagger/", ".swagger-ui .info"), ("/redoc/", ".redoc-wrap h1")])
def test_the_api_reference_is_rendered(browse: Callable, path: str, ready: str) -> None:
    page = browse(path)
    page.wait_for_selector(ready)
    page.get_by_role("link", name="Atrium", exact=True).click()
    page.get_by_role("heading", level=1, name="in one API").wait_for()


def test_staff_can_sign_in_to_the_admin(browse: Callable, transactional_db: None) -> None:
    UserFactory(username="root1", is_staff=True, is_superuser=True)
    page = browse("/admin/")
    page.get_by_label("Username").fill("root1")
    page.get_by_label("Password").fill("correct horse battery staple")
    page.get_by_role("button", name="Log in").click()
    page.get_by_role("heading", name="Dashboard").wait_for()


def test_every_list_and_add_form_of_the_admin_opens(
    browse: Callable, transactional_db: None, rf: RequestFactory
) -> None:
    staff: Any = UserFactory(is_staff=True, is_superuser=True)
    page = browse("/admin/", user=staff)
    request = rf.get("/admin/")
    request.user = staff
    for model, model_admin in admin.site._registry.items():
        name = f"admin:{model._meta.app_label}_{model._meta.model_name}"
        assert page.goto(reverse(f"{name}_changelist")).status == 200, name
        if model_admin.has_add_permission(request):
            assert page.goto(reverse(f"{name}_add")).status == 200, name


def test_the_permission_lists_fit_the_window(browse: Callable, transactional_db: None) -> None:
    staff: Any = UserFactory(is_staff=True, is_superuser=True)
    page = browse(f"/admin/accounts/user/{staff.pk}/change/", user=staff)
    page.get_by_text("Chosen user permissions").wait_for()
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_the_task_fields_of_a_periodic_task_are_visible(browse: Callable, transactional_db: None) -> None:
    page = browse("/admin/django_celery_beat/periodictask/add/", user=UserFactory(is_staff=True, is_superuser=True))
    for label in ("Task (registered)", "Task (custom)"):
        border = page.get_by_label(label).evaluate("field => getComputedStyle(field).borderTopWidth")
        assert border != "0px", label
    page.get_by_label("Task (registered)").select_option("notes.tasks.purge_trash")
