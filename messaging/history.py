"""Histories of messages: a page costs the same however long the history is."""

from collections.abc import Iterable
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

from django.db.models import Count, F, Max, OuterRef, Q, QuerySet, Subquery

from accounts.models import User
from config.db.search import contains_words

from . import sql
from .models import BroadcastBatch, Message, MessageRecipient
from .querysets import SEEN, UNREAD


class History:
    """The ids of the messages that a user sent or received.

    ``ranges`` are queries that each read one range of one index in the order of the message's id. A message to yourself
    is in two ranges and is returned once. With ``changed_since`` each query reads the messages edited or deleted since
    then. With ``search`` each reads the messages that contain every word of it; raises a validation error as
    ``config.db.search.words`` does.
    """

    def __init__(
        self,
        user: User,
        *,
        box: str | None = None,
        peer: User | None = None,
        unread: bool = False,
        broadcast: bool = False,
        from_deleted: bool = False,
        changed_since: datetime | None = None,
        search: str = "",
    ) -> None:
        self.user, self.peer, self.changed_since = user, peer, changed_since
        self.box, self.unread, self.broadcast, self.from_deleted = box, unread, broadcast, from_deleted
        self.containing = {prefix: contains_words(search, f"{prefix}body") for prefix in ("", "message__")}

    @property
    def is_search(self) -> bool:
        return bool(self.containing[""])

    @property
    def ranges(self) -> list[QuerySet]:
        ranges = self._sent() if self.box != "inbox" and not (self.unread or self.from_deleted) else []
        if self.box != "sent":
            ranges += self._received()
        return [each.filter(self._conditions("" if each.model is Message else "message__")) for each in ranges]

    def _conditions(self, prefix: str) -> Q:
        """Return what is required of a message's own columns, whose names begin with ``prefix``.

        An instant is compared with each column on its own, so that each comparison can use its index.
        """
        if (since := self.changed_since) is None:
            return self.containing[prefix]
        changed = Q(**{f"{prefix}deleted_at__gte": since}) | Q(**{f"{prefix}edited_at__gte": since})
        return self.containing[prefix] & changed

    def _sent(self) -> list[QuerySet]:
        only = {"broadcast": True} if self.broadcast else {}
        if self.peer is None:
            return [Message.objects.filter(sender=self.user, **only).annotate(position=F("id"))]
        receipts = MessageRecipient.objects.filter(sender=self.user, recipient=self.peer)
        broadcasts = _split(receipts.filter(**only), [UNREAD, SEEN])
        pending = _pending(self.peer).filter(message__sender=self.user)
        # These are all direct messages, withheld ones too. The ranges of broadcasts contain direct messages again.
        direct = [] if self.broadcast else _split(receipts, [Q(broadcast=False)])
        return [*direct, *broadcasts, pending]

    def _received(self) -> list[QuerySet]:
        receipts = MessageRecipient.objects.received_by(self.user)
        pending = _pending(self.user)
        parts = [Q(broadcast=True), Q(broadcast=False)]
        if self.broadcast:
            receipts, parts = receipts.filter(broadcast=True), [Q()]
        if self.peer is not None:
            receipts, parts = receipts.filter(sender=self.peer), [UNREAD, SEEN]
            pending = pending.filter(message__sender=self.peer)
        if self.from_deleted:
            receipts, parts = receipts.filter(sender=None), [Q()]
            pending = pending.filter(message__sender=None)
        return [*_split(receipts, [UNREAD] if self.unread else parts), pending]

    def ids(self, **options: Any) -> list[int]:
        """Return the ids that the query of :meth:`sql` selects, in its order."""
        return [pk for (pk,) in sql.fetch(*self.sql(**options))]

    def sql(
        self, *, limit: int, before: int | None = None, after: int | None = None, oldest: bool = False
    ) -> tuple[str, list[Any]]:
        """Return the query of at most ``limit`` ids below ``before`` and above ``after``, and its parameters.

        The order is newest first, or ``oldest`` first.
        """
        if self.is_search:  # each search is another query
            queryset = self.queryset(limit=limit, before=before, after=after, oldest=oldest)
            return _NO_IDS if queryset is None else _sql_of(queryset)
        values = {
            _USER: self.user.pk,
            _PEER: self.peer.pk if self.peer else None,
            _BEFORE: before,
            _AFTER: after,
            _SINCE: self.changed_since,
        }
        given = frozenset(name for name, value in values.items() if value is not None)
        compiled = _compiled(given, self.box, self.unread, self.broadcast, self.from_deleted, limit, oldest)
        query, stand_ins = compiled
        return query, [values[each] for each in stand_ins]

    def queryset(self, *, limit: int, before: int | None = None, after: int | None = None, oldest: bool = False) -> Any:
        """Return the queryset of ``ids``; None if it selects nothing."""
        order = "position" if oldest else "-position"
        bounds = {}
        if before is not None:
            bounds["position__lt"] = before
        if after is not None:
            bounds["position__gt"] = after
        pages = [
            each.filter(**bounds).order_by(order).values_list("position", flat=True)[:limit] for each in self.ranges
        ]
        if len(pages) < 2:
            return pages[0] if pages else None
        return pages[0].union(*pages[1:]).order_by(order)[:limit]


_NO_IDS: tuple[str, list[Any]] = ("SELECT NULL::bigint WHERE false", [])


def _sql_of(queryset: QuerySet) -> tuple[str, list[Any]]:
    """Return the SQL of ``queryset``, and its parameters."""
    query, parameters = queryset.query.sql_with_params()
    return query, list(parameters)


# Stand for the values of a request in a compiled query.
_USER, _PEER, _BEFORE, _AFTER = -1, -2, -3, -4
_SINCE = datetime(1, 1, 1, tzinfo=UTC)


@lru_cache(maxsize=256)
def _compiled(
    given: frozenset[Any],
    box: str | None,
    unread: bool,
    broadcast: bool,
    from_deleted: bool,
    limit: int,
    oldest: bool,
) -> tuple[str, list[Any]]:
    """Compile the query of ``History.sql`` once for these filters.

    ``given`` are the stand-ins of the values that a request has. The ORM takes 3.8 ms to build and compile the query,
    all else in this process 0.2 ms.
    """
    history = History(
        User(pk=_USER),
        box=box,
        peer=User(pk=_PEER) if _PEER in given else None,
        unread=unread,
        broadcast=broadcast,
        from_deleted=from_deleted,
        changed_since=_SINCE if _SINCE in given else None,
    )
    bounds = {name: each for name, each in (("before", _BEFORE), ("after", _AFTER)) if each in given}
    queryset = history.queryset(limit=limit, oldest=oldest, **bounds)
    return _NO_IDS if queryset is None else _sql_of(queryset)


def _split(receipts: QuerySet, parts: Iterable[Q]) -> list[QuerySet]:
    """Return one query for each part, so that each reads one range of one index."""
    return [receipts.filter(part).annotate(position=F("message_id")) for part in parts]


def _pending(user: User) -> QuerySet:
    """Select broadcasts to ``user`` whose receipts do not exist yet."""
    return BroadcastBatch.objects.pending_for(user).annotate(position=F("message_id"))


def recipient_rows(message: Message) -> QuerySet:
    """Select the recipients of ``message`` as dicts with ``position`` (for paging) and the fields of ``Receipt``."""
    times = ("delivered_at", "read_at")
    batches = BroadcastBatch.objects.filter(message=message)
    if batches.filter(done_at=None).exists():
        ids = [user_id for batch in batches.values_list("recipient_ids", flat=True) for user_id in batch]
        receipts = message.receipts.filter(recipient=OuterRef("pk"))
        return User.objects.filter(pk__in=ids).values(
            "usercode", "username", position=F("pk"), **{name: Subquery(receipts.values(name)) for name in times}
        )
    return message.receipts.annotate(position=F("recipient_id")).values(
        "position", *times, usercode=F("recipient__usercode"), username=F("recipient__username")
    )


def unread_by_sender(reader: User) -> list[Any]:
    """Count the unread messages of each sender, newest first; senders whose account was deleted have no usercode."""
    return list(
        MessageRecipient.objects.unread_by(reader)
        .values(usercode=F("sender__usercode"), username=F("sender__username"))
        .annotate(count=Count("pk"), broadcasts=Count("pk", filter=Q(broadcast=True)), last=Max("message_id"))
        .order_by("-last")
    )
