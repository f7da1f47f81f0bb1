"""Celery tasks of accounts."""

from celery import shared_task

from . import services


@shared_task
def send_links() -> int:
    """Mail the account links that are due."""
    return services.send_due_links()


@shared_task
def send_invitations() -> int:
    """Mail the invitations that are due."""
    return services.send_due_invitations()


@shared_task
def delete_expired() -> int:
    """Delete expired sessions, old links and expired registrations."""
    return services.delete_expired()
