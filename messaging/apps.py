from django.apps import AppConfig


class MessagingConfig(AppConfig):
    """Messages, receipts, presence and the chat page."""

    name = "messaging"

    def ready(self) -> None:
        from accounts import personal_data as data_export

        from . import personal_data, receivers  # noqa: F401  importing receivers connects them

        data_export.register("messages", personal_data.personal_data)
