"""The page ``/trends/``."""
