"""Cursor pages end at ``PAGE_MAX_BYTES``, and their links lead to every row once."""

from collections.abc import Callable
from typing import Any

import pytest
from django.test import RequestFactory
from rest_framework.request import Request

from accounts.models import User
from config.api.pagination import FeedPagination
from config.models import OutgoingMail
from messaging.services.sending import send_message
from notes.models import Membership
from notes.pagination import JsonWithinLimit
from notes.services.notes import create_note

from ..conftest import Client
from ..factories import UserFactory

pytestmark = pytest.mark.django_db

Fetch = Callable[[str], dict[str, Any]]


def walk(fetch: Fetch, url: str, direction: str) -> list[list[Any]]:
    """The results of all pages from ``url`` on."""
    pages, link = [], url
    while link:
        page = fetch(link)
        pages.append(page["results"])
        link = page[direction]
    return pages


def last_link(fetch: Fetch, url: str) -> str:
    """The link ``previous`` of the last page."""
    page = fetch(url)
    while page["next"]:
        page = fetch(page["next"])
    return page["previous"]


@pytest.fixture
def mails() -> Fetch:
    """Pages of rows of 100 to 900 bytes."""
    OutgoingMail.objects.bulk_create(OutgoingMail(to="a@example.org", template=str(n)) for n in range(30))

    def fetch(url: str) -> dict[str, Any]:
        paginator = FeedPagination()
        page = paginator.paginate_queryset(OutgoingMail.objects.all(), Request(RequestFactory().get(url)))
        rows = [{"n": int(mail.template), "text": "x" * (100 + int(mail.template) % 3 * 400)} for mail in page or []]
        return paginator.get_paginated_response(rows).data

    return fetch


def ids(pages: list[list[Any]], key: str) -> list[int]:
    return [row[key] for page in pages for row in page]


@pytest.mark.parametrize("limit", [1, 600, 1500, 10_000, 100_000])
def test_pages_end_at_the_limit_after_at_least_one_row(settings: Any, mails: Fetch, limit: int) -> None:
    settings.PAGE_MAX_BYTES = limit
    pages = walk(mails, "/x/?page_size=20", "next")
    assert ids(pages, "n") == list(reversed(range(30)))
    for page in pages:
        assert len(page) == 1 or sum(len(row["text"]) for row in page) < limit
    assert len(pages) == {1: 30, 100_000: 2}.get(limit, len(pages))


@pytest.mark.parametrize("limit", [1, 600, 1500, 10_000])
def test_previous_pages_end_at_the_limit_too(settings: Any, mails: Fetch, limit: int) -> None:
    settings.PAGE_MAX_BYTES = limit
    backwards = walk(mails, last_link(mails, "/x/?page_size=20"), "previous")
    newest_first = [row["n"] for page in reversed(backwards) for row in page]
    assert newest_first == list(reversed(range(30)))[: len(newest_first)]
    assert len(newest_first) == 30 - len(walk(mails, "/x/?page_size=20", "next")[-1])


def through_api(client: Client) -> Fetch:
    return lambda url: client.get(url).json()


@pytest.mark.parametrize("ordering", ["", "title", "-created_at"])
def test_pages_of_notes_end_at_the_limit(settings: Any, signed_in: Client, user: User, ordering: str) -> None:
    notes = [create_note(owner=user, title=f"{n:02}", body="é" * 1000) for n in range(12)]
    settings.PAGE_MAX_BYTES = 6000
    url, fetch = f"/api/v1/notes/?ordering={ordering}", through_api(signed_in)
    pages = walk(fetch, url, "next")
    assert [len(page) for page in pages] == [2] * 6
    found = ids(pages, "id")
    assert sorted(found) == [note.pk for note in notes]
    backwards = walk(fetch, last_link(fetch, url), "previous")
    assert [row["id"] for page in reversed(backwards) for row in page] == found[:10]


def test_notes_beyond_the_limit_are_not_fetched_from_postgres(settings: Any, user: User) -> None:
    for _ in range(20):
        create_note(owner=user, title="", body="x" * 50_000)
    settings.PAGE_MAX_BYTES = 100_000
    memberships = Membership.objects.visible_to(user).order_by("-pk")
    rows = list(memberships.values_list(JsonWithinLimit(memberships.query.order_by)))
    assert len([row for row in rows if row[0] is not None]) <= 3


def test_pages_of_messages_end_at_the_limit(settings: Any, signed_in: Client, user: User) -> None:
    other = UserFactory()
    for n in range(9):
        send_message(sender=user, body=f"{n}" * 1000, usercodes=[other.usercode])
    settings.PAGE_MAX_BYTES = 3000
    fetch = through_api(signed_in)
    pages = walk(fetch, "/api/v1/messages/", "next")
    assert [row["body"][0] for page in pages for row in page] == list("876543210")
    assert len(pages) == 5
    oldest_first = walk(fetch, "/api/v1/messages/?after=0", "next")
    assert [row["body"][0] for page in oldest_first for row in page] == list("012345678")
