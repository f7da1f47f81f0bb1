"""What other apps may want to hear of accounts."""

from django.dispatch import Signal

# Sent with ``user`` inside the transaction that deletes an account, before any row is gone. Whoever keeps files for the
# user has them removed by ``config.storage.discard``.
account_deleted = Signal()
