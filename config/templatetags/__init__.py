"""Filters for templates, which Django finds by the name of this package."""
