from django.apps import AppConfig


class TrendsConfig(AppConfig):
    """Trends, imported from CSV files and read by everybody."""

    name = "trends"

    def ready(self) -> None:
        from accounts.export import register

        from .export import held_of

        register("trends", held_of)
