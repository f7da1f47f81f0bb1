"""Additions to Django's database layer.

Fields, substring search on trigram indexes, and advisory locks.
"""
