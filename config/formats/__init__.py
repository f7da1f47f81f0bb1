"""How dates are displayed (``FORMAT_MODULE_PATH``)."""
