from django.apps import AppConfig


class NotesConfig(AppConfig):
    """Notes, labels, and each person's own view of them."""

    name = "notes"
