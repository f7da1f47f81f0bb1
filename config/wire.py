"""What web, worker and events processes call things in Redis; the last of them runs without Django's apps."""

from datetime import UTC, datetime
from urllib.parse import urlsplit

from django.conf import settings

# For notices: for whom there is something new, and what the events process is told itself. The databases of one Redis
# share their channels, so the name says which is meant.
CHANNEL = f"atrium:events:{urlsplit(settings.REDIS_URL).path.strip('/') or 0}"
SENT = "atrium:events:sent"  # a list of "<user id> <receipt>": what streams have passed on
EPOCH = "atrium:events:epoch"  # changes when Redis may have lost something
KEPT = 200  # events a person; a client that was away for longer is told to fetch from the API
EXPIRES = 24 * 3600  # seconds

ONLINE = "atrium:presence"  # sorted set: user id -> when they were last seen
PEOPLE = "atrium:people"  # hash: user id -> what a list shows of them, as JSON
WINDOW = 75  # seconds for which somebody is online after a sign of life


def stream_key(user_id: int) -> str:
    return f"atrium:events:{user_id}"


def ticket_key(nonce: str) -> str:
    return f"atrium:ticket:{nonce}"


def ended_key(session: str) -> str:
    """There for as long as a ticket of a session that has ended may still be presented."""
    return f"atrium:ended:{session}"


def hidden_key(user_id: int) -> str:
    """The ids, parted by spaces, of people whom ``user_id`` does not see online; an empty text where there are none."""
    return f"atrium:hidden-from:{user_id}"


def parse_ids(text: bytes | str | None) -> frozenset[int]:
    return frozenset(map(int, text.split())) if text else frozenset()


def instant(seconds: float) -> str:
    """Seconds since the epoch in ISO 8601, to the millisecond."""
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
