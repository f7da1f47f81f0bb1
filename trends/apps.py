from django.apps import AppConfig


class TrendsConfig(AppConfig):
    """Trends: imported from CSV files, public to read."""

    name = "trends"

    def ready(self) -> None:
        from accounts.personal_data import register

        from .personal_data import personal_data

        register("trends", personal_data)
