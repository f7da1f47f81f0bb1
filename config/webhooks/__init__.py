"""Webhooks: HTTP requests to the receivers of users when something of theirs changes.

``publishing`` stores deliveries in the transaction of the change, ``delivering`` sends the rows that are due.
"""
