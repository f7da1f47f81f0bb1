from django.apps import AppConfig


class MessagingConfig(AppConfig):
    """Messages, who has received and read them, and who is online."""

    name = "messaging"

    def ready(self) -> None:
        from . import people

        people.forget_cards_of_the_changed()
