"""Signals that accounts sends to other apps."""

from django.dispatch import Signal

# Sent with ``user`` inside the transaction that deletes the account, before any row is deleted. Receivers remove the
# user's files with ``config.storage.discard``.
account_deleted = Signal()

# Sent with ``user`` inside the transaction that saves a deactivated account, each time it is saved. Receivers stop what
# the user has switched on, such as webhooks; sessions, tokens and event streams have ended already.
account_deactivated = Signal()
