"""The fixture ``product`` of the end-to-end tests."""

from ..e2e.conftest import product

__all__ = ["product"]
