from django.apps import AppConfig


class TrendsConfig(AppConfig):
    """Trends, imported from CSV files and read by everybody."""

    name = "trends"
