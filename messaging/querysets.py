"""Reading messages: who may see one, and histories whose cost does not grow with their length."""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, NamedTuple, Self

from django.apps import apps
from django.contrib.auth import get_user_model
from django.db import connection, models
from django.db.models import Exists, F, OuterRef, Q, QuerySet, Subquery

if TYPE_CHECKING:
    from accounts.models import User

    from .models import Message

# What is one or the other of a receipt; each has an index of its own, which Postgres knows by these very words.
UNREAD = Q(read_at=None, withheld=False)
SETTLED = Q(read_at__isnull=False) | Q(withheld=True)
PREVIEW = 100  # recipients that a message lists; a direct message has no more, of a broadcast these are the first


class MessageQuerySet(models.QuerySet):
    def visible_to(self, user: "User") -> Self:
        """Messages that ``user`` sent or received, a broadcast also before its rows are made."""
        received = apps.get_model("messaging", "MessageRecipient").objects.received_by(user)
        announced = apps.get_model("messaging", "BroadcastBatch").objects.filter(
            done_at=None, recipient_ids__contains=[user.pk]
        )
        return self.filter(
            Q(sender=user)
            | Exists(received.filter(message=OuterRef("pk")))
            | Exists(announced.filter(message=OuterRef("pk")))
        )

    def with_sender(self) -> Self:
        return self.select_related("sender")


class MessageRecipientQuerySet(models.QuerySet):
    def received_by(self, user: "User") -> Self:
        return self.filter(recipient=user, withheld=False)

    def unread_by(self, user: "User") -> Self:
        return self.received_by(user).filter(UNREAD)


class Recipient(NamedTuple):
    """One line of a message's recipients."""

    usercode: str
    username: str
    delivered_at: Any
    read_at: Any


class History:
    """The ids of the messages somebody sent or received.

    Each arm is one range of one index in the order of the message's id, so that a page costs the same however much lies
    before it. A message to oneself is in two arms and comes once.
    """

    def __init__(
        self,
        user: "User",
        *,
        box: str | None = None,
        peer: "User | None" = None,
        unread: bool = False,
        broadcast: bool = False,
        from_deleted: bool = False,
    ) -> None:
        self.user, self.peer, self.broadcast, self.from_deleted = user, peer, broadcast, from_deleted
        self.arms: list[QuerySet] = []
        if box != "inbox" and not (unread or from_deleted):
            self.arms += self._sent()
        if box != "sent":
            self.arms += self._received(unread)

    def _sent(self) -> list[QuerySet]:
        narrowed = {"broadcast": True} if self.broadcast else {}
        if self.peer is None:
            sent = apps.get_model("messaging", "Message").objects.filter(sender=self.user, **narrowed)
            return [sent.annotate(feed=F("id"))]
        receipts = apps.get_model("messaging", "MessageRecipient").objects
        rows = receipts.filter(sender=self.user, recipient=self.peer, **narrowed)
        return [*_feeds(rows, [UNREAD, SETTLED]), self._announced(to=self.peer, by=self.user)]

    def _received(self, unread: bool) -> list[QuerySet]:
        receipts = apps.get_model("messaging", "MessageRecipient").objects
        rows = receipts.unread_by(self.user) if unread else receipts.received_by(self.user)
        announced = self._announced(to=self.user, by=self.peer)
        parts = [Q(broadcast=True), Q(broadcast=False)]
        if self.broadcast:
            rows, parts = rows.filter(broadcast=True), [Q()]
        if self.peer is not None:
            rows, parts = rows.filter(sender=self.peer), [UNREAD, SETTLED]
        if self.from_deleted:
            rows, announced, parts = rows.filter(sender=None), announced.filter(message__sender=None), [Q()]
        return [*_feeds(rows, [Q()] if unread else parts), announced]

    @staticmethod
    def _announced(*, to: "User", by: "User | None") -> QuerySet:
        """Batches of broadcasts whose rows are still to be made: few, and found by the index of those alone."""
        waiting = apps.get_model("messaging", "BroadcastBatch").objects.filter(
            done_at=None, recipient_ids__contains=[to.pk]
        )
        return (waiting.filter(message__sender=by) if by else waiting).annotate(feed=F("message_id"))

    def ids(
        self, *, limit: int, before: int | None = None, after: int | None = None, oldest: bool = False
    ) -> list[int]:
        """At most ``limit`` ids below ``before`` and above ``after``, newest first or ``oldest`` first."""
        order = "feed" if oldest else "-feed"
        narrowed = {}
        if before is not None:
            narrowed["feed__lt"] = before
        if after is not None:
            narrowed["feed__gt"] = after
        arms = [arm.filter(**narrowed).order_by(order).values_list("feed", flat=True)[:limit] for arm in self.arms]
        if len(arms) < 2:
            return list(arms[0]) if arms else []
        return list(arms[0].union(*arms[1:]).order_by(order)[:limit])


def _feeds(rows: QuerySet, parts: Iterable[Q]) -> list[QuerySet]:
    """An arm for each part of these receipts."""
    return [rows.filter(part).annotate(feed=F("message_id")) for part in parts]


def recipients_of(message_ids: Iterable[int]) -> dict[int, list[Recipient]]:
    """The recipients of each message, at most PREVIEW, in one query; also those whose rows are to come."""
    ids = list(message_ids)
    found: dict[int, list[Recipient]] = {message_id: [] for message_id in ids}
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT m.id, u.id, u.usercode, u.username, r.delivered_at, r.read_at
            FROM unnest(%(ids)s::bigint[]) AS m (id)
            CROSS JOIN LATERAL (
                SELECT recipient_id, delivered_at, read_at FROM messaging_messagerecipient
                WHERE message_id = m.id ORDER BY recipient_id LIMIT %(limit)s
            ) r
            JOIN accounts_user u ON u.id = r.recipient_id
            UNION ALL
            SELECT b.message_id, u.id, u.usercode, u.username, NULL, NULL
            FROM messaging_broadcastbatch b
            CROSS JOIN LATERAL unnest(b.recipient_ids[1:%(limit)s]) AS x (id)
            JOIN accounts_user u ON u.id = x.id
            WHERE b.message_id = ANY(%(ids)s) AND b.done_at IS NULL
            ORDER BY 1, 2
            """,
            {"ids": ids, "limit": PREVIEW},
        )
        for message_id, _, *fields in cursor.fetchall():
            if len(found[message_id]) < PREVIEW:
                found[message_id].append(Recipient(*fields))
    return found


def recipient_rows(message: "Message", *, receipts: bool) -> QuerySet:
    """The recipients of ``message`` as dicts, with a ``position`` to page by; with ``receipts`` when they got it."""
    shown = ["delivered_at", "read_at"] if receipts else []
    batches = apps.get_model("messaging", "BroadcastBatch").objects.filter(message=message)
    if batches.filter(done_at=None).exists():
        ids = [user_id for batch in batches.values_list("recipient_ids", flat=True) for user_id in batch]
        made = message.receipts.filter(recipient=OuterRef("pk"))
        return (
            get_user_model()
            .objects.filter(pk__in=ids)
            .values("usercode", "username", position=F("pk"), **{name: Subquery(made.values(name)) for name in shown})
        )
    return message.receipts.annotate(position=F("recipient_id")).values(
        "position", *shown, usercode=F("recipient__usercode"), username=F("recipient__username")
    )
