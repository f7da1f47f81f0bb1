from django.apps import AppConfig


class MessagingConfig(AppConfig):
    """Messages, who has received and read them, and who is online."""

    name = "messaging"

    def ready(self) -> None:
        from accounts import export as accounts_export

        from . import export, receivers

        accounts_export.register("messages", export.of)
        receivers.connect()
