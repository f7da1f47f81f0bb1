from django.apps import AppConfig


class MessagingConfig(AppConfig):
    """Messages, who has received and read them, and who is online."""

    name = "messaging"

    def ready(self) -> None:
        from accounts import export as accounts_export

        from . import export, people

        accounts_export.register("messages", export.of)
        people.forget_cards_of_the_changed()
