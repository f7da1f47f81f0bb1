"""E-mail from rows: sent once, as HTML and text, retried while the server is unavailable."""

import email
import email.policy
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.db.models.functions import Now

from config import mail
from config.models import OutgoingMail

from ..conftest import Inbox

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def template(settings: Any, tmp_path: Path) -> None:
    """A template for these tests."""
    folder = tmp_path / "templates" / "mail"
    folder.mkdir(parents=True)
    (folder / "hello.txt").write_text(
        "Subject: Hello {{ name }}\n\nDear {{ name }}, see {{ public_url }}/v/abc/ now.\n"
    )
    (folder / "hello.html").write_text(
        "<html><head><style>p { color: red }</style></head><body><p>Dear {{ name }}</p></body></html>"
    )
    settings.TEMPLATES = [{**settings.TEMPLATES[0], "DIRS": [folder.parent]}]


def queue(**context: str) -> OutgoingMail:
    return mail.queue(to="ann@example.org", template="hello", context={"name": "Ann", **context})


def test_a_queued_mail_is_sent_once_with_both_parts(smtp: Inbox) -> None:
    row = queue()
    assert mail.send_due() == 1
    assert mail.send_due() == 0
    (message,) = smtp.messages
    assert message["Subject"] == "Hello Ann"
    assert f"mail-{row.pk}@" in message["Message-ID"]
    text, html = message.iter_parts()
    assert "Dear Ann, see http" in text.get_content()
    assert 'style="color: red' in html.get_content()


def test_a_line_break_in_a_name_adds_no_header(smtp: Inbox) -> None:
    queue(name="Ann\r\nBcc: eve@example.org")
    mail.send_due()
    (message,) = smtp.messages
    assert message["Bcc"] is None
    assert message["Subject"] == "Hello Ann"


def test_markup_in_a_name_is_text_in_both_parts(smtp: Inbox) -> None:
    queue(name="<script>alert(1)</script>")
    mail.send_due()
    text, html = smtp.messages[0].iter_parts()
    assert "Dear <script>alert(1)</script>," in text.get_content()
    assert "<script>" not in html.get_content()


def test_a_mail_waits_while_the_server_is_unavailable_and_is_sent_later(settings: Any, smtp: Inbox) -> None:
    row = queue()
    port, settings.EMAIL_PORT = settings.EMAIL_PORT, 1
    assert mail.send_due() == 0
    row.refresh_from_db()
    assert (row.failed_at, row.attempts) == (None, 0)
    assert "is unavailable" in row.error
    settings.EMAIL_PORT = port
    OutgoingMail.objects.update(due_at=Now() - timedelta(seconds=1))
    assert mail.send_due() == 1
    assert len(smtp.messages) == 1


def test_a_temporary_error_is_retried_and_a_permanent_one_is_not(smtp: Inbox) -> None:
    row = queue()
    smtp.refusal = "451 greylisted"
    mail.send_due()
    row.refresh_from_db()
    assert row.failed_at is None
    smtp.refusal = "550 no such user"
    OutgoingMail.objects.update(due_at=Now() - timedelta(seconds=1))
    mail.send_due()
    row.refresh_from_db()
    assert row.failed_at is not None
    assert "550" in row.error


def test_without_a_server_mails_are_files_and_their_links_are_logged(
    settings: Any, caplog: pytest.LogCaptureFixture
) -> None:
    settings.EMAIL_BACKEND = "config.mail.FileBackend"
    queue()
    assert mail.send_due() == 1
    (file,) = settings.MAIL_DIR.glob("*.eml")
    assert file.stat().st_mode & 0o777 == 0o600
    message = email.message_from_bytes(file.read_bytes(), policy=email.policy.default)
    assert message["To"] == "ann@example.org"
    (line,) = [r.msg for r in caplog.records if isinstance(r.msg, dict) and r.msg["event"] == "mail_written"]
    assert line["links"] == [f"{settings.PUBLIC_URL}/v/abc/"]


def test_mails_sent_a_month_ago_are_deleted_and_queued_ones_are_not() -> None:
    sent, fresh, waiting = queue(), queue(), queue()
    OutgoingMail.objects.filter(pk__in=[sent.pk, fresh.pk]).update(done_at=Now())
    OutgoingMail.objects.filter(pk__in=[sent.pk, waiting.pk]).update(created_at=Now() - timedelta(days=31))
    assert mail.delete_expired() == 1
    assert set(OutgoingMail.objects.all()) == {fresh, waiting}
