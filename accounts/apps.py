from django.apps import AppConfig


class AccountsConfig(AppConfig):
    """Users, how they sign in, and the devices on which they are signed in."""

    name = "accounts"

    def ready(self) -> None:
        from config.webhooks.personal_data import personal_data as webhooks

        from . import checks, receivers, schema  # noqa: F401  importing them registers them
        from .personal_data import register

        register("webhooks", webhooks)
