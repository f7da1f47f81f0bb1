from django.apps import AppConfig


class MessagingConfig(AppConfig):
    """Messages, who has received and read them, and who is online."""

    name = "messaging"
