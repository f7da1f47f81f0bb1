"""What other apps may want to hear of accounts."""

from django.dispatch import Signal

# Sent with ``user`` inside the transaction that deletes an account, before any row is gone. Whoever keeps files for the
# user notes their keys here and removes them with ``transaction.on_commit``.
account_deleted = Signal()
