"""A private Postgres and Valkey, and everything that ``bin/up`` runs on them.

Nothing here needs Django's settings: this is what makes the keys and addresses that they are read from.
"""


class Refusal(Exception):
    """A sentence for whoever started Atrium: what is in the way, and what to do about it."""
