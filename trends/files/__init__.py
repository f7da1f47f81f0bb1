"""Trend files: the ten columns, reading and loading CSV, the watched folder, exports and downloads."""
