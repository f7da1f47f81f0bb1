"""The product that the walk through all domains starts serves here too."""

from ..e2e.conftest import product

__all__ = ["product"]
