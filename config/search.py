"""Kept for migrations that have landed, which import ``Fold`` from here. Use ``config.db.search``."""

from .db.search import Fold

__all__ = ["Fold"]
