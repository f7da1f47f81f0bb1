from django.apps import AppConfig


class AccountsConfig(AppConfig):
    """Who people are, how they sign in, and on which devices they are signed in."""

    name = "accounts"

    def ready(self) -> None:
        from . import receivers, schema  # noqa: F401  connected by being imported
