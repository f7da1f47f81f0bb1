from django.apps import AppConfig


class ContactsConfig(AppConfig):
    """Uploaded sheets of contacts, and the window between two rows with the same phone number or e-mail address."""

    name = "contacts"

    def ready(self) -> None:
        from accounts.personal_data import register

        from . import receivers  # noqa: F401  connects its receivers
        from .personal_data import personal_data

        register("contacts", personal_data)
