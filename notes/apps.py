from django.apps import AppConfig


class NotesConfig(AppConfig):
    """Notes, labels, reminders and sharing."""

    name = "notes"

    def ready(self) -> None:
        from accounts.personal_data import register

        from . import receivers  # noqa: F401  connected by being imported
        from .personal_data import personal_data

        register("notes", personal_data)
