from django.apps import AppConfig


class NotesConfig(AppConfig):
    """Notes, labels, and each person's own view of them."""

    name = "notes"

    def ready(self) -> None:
        from accounts.export import register

        from . import receivers
        from .export import held_of

        register("notes", held_of)
        receivers.connect()
