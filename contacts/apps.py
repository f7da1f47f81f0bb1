from django.apps import AppConfig


class ContactsConfig(AppConfig):
    """Uploaded address sheets, and the window that keeps one key from being stored twice at once."""

    name = "contacts"

    def ready(self) -> None:
        from accounts import export

        from . import announcements, receivers

        receivers.connect()
        export.register("contacts", announcements.export_of)
