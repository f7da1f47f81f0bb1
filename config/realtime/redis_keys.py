"""Names of channels and keys in Redis, shared by web, worker and events processes.

The events process imports this module without Django's apps.
"""

from datetime import UTC, datetime

from django.conf import settings

from config.redis_urls import split_url

# Notices: which users have new events, and messages to the events processes themselves. All databases of a Redis server
# share its channels, so the name contains the database.
CHANNEL = f"atrium:events:{split_url(settings.REDIS_URL)[1].path.strip('/') or 0}"
RECEIPTS = "atrium:events:sent"  # a list of "<user id> <receipt>" of events that streams have sent
EPOCH = "atrium:events:epoch"  # changes when Redis may have lost data
MAX_EVENTS = 200  # events stored for each user; a client that missed more fetches from the API
EVENTS_EXPIRE = 24 * 3600  # seconds

PROCESSES = "atrium:events:processes"  # hash: events process -> "<unix seconds> <open streams>"
PROCESS_SECONDS = 20  # for how long a report counts; a process reports every few seconds

ONLINE = "atrium:presence"  # sorted set: user id -> when the user was last seen
CARDS = "atrium:people"  # hash: user id -> what a list shows of the user, as JSON
ONLINE_SECONDS = 75  # for how long a user is online after a heartbeat


def stream_key(user_id: int) -> str:
    return f"atrium:events:{user_id}"


def ticket_key(nonce: str) -> str:
    return f"atrium:ticket:{nonce}"


def ended_key(session: str) -> str:
    """Return the key that exists while a ticket of an ended session may still be presented."""
    return f"atrium:ended:{session}"


def hidden_key(user_id: int) -> str:
    """Return the key of the ids, separated by spaces, of users whose presence ``user_id`` may not see."""
    return f"atrium:hidden-from:{user_id}"


def parse_ids(text: bytes | str | None) -> frozenset[int]:
    return frozenset(map(int, text.split())) if text else frozenset()


def instant(seconds: float) -> str:
    """Format seconds since the epoch as ISO 8601 with milliseconds."""
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
