"""Everything that changes a message, or somebody's view of one."""

from collections.abc import Iterable, Sequence
from datetime import timedelta
from typing import Any

from django.db import connection, transaction
from django.db.models import Count, Exists, F, Max, OuterRef, Q
from django.db.models.functions import Coalesce, Now
from rest_framework.exceptions import PermissionDenied, ValidationError

from accounts.models import User
from config import claims, events, presence
from config.caching import guarded
from config.celery import wake
from config.errors import Conflict
from config.fields import id_array

from . import tasks
from .models import Block, BroadcastBatch, Message, MessageRecipient
from .querysets import PREVIEW, Recipient, recipients_of
from .shapes import message_shape, person

DELETABLE = timedelta(minutes=15)
BATCH = 5000  # recipients of a broadcast whose rows are made in one statement
WOKEN = 4  # workers that are called to one broadcast; each goes on until no batch is left
_LOCKS = 0x6D73  # the class of our advisory locks ("ms"); in it 0 is for broadcasts, the others are user ids


# --- Sending ----------------------------------------------------------------------------------------------------------


class UnknownUsercode(ValidationError):
    def __init__(self, codes: Iterable[str]) -> None:
        super().__init__({"recipients": [f"Nobody has the usercode {code}." for code in codes]}, "unknown_usercode")


class NobodyOnline(Conflict):
    default_detail = "Nobody else is online."
    default_code = "nobody_online"


@transaction.atomic
def send_message(*, sender: User, body: str, usercodes: Sequence[str]) -> tuple[Message, list[Recipient]]:
    """Send to these people, in a constant number of queries; raises UnknownUsercode.

    Somebody who has blocked the sender gets a withheld row, so that the sender sees no difference.
    """
    codes = list(dict.fromkeys(code.upper() for code in usercodes))
    blocking = Block.objects.filter(blocker=OuterRef("pk"), blocked=sender)
    people = list(
        User.objects.filter(usercode__in=codes, is_active=True)
        .annotate(blocks_sender=Exists(blocking))
        .only("id", "usercode", "username")
        .order_by("id")
    )
    if unknown := set(codes) - {user.usercode for user in people}:
        raise UnknownUsercode(code for code in codes if code in unknown)
    _keep_order({sender.pk, *(user.pk for user in people)})
    message = Message.objects.create(sender=sender, body=body, recipient_count=len(people))
    MessageRecipient.objects.bulk_create(
        MessageRecipient(message=message, recipient=user, sender=sender, withheld=user.blocks_sender) for user in people
    )
    recipients = [Recipient(user.usercode, user.username, None, None) for user in people]
    reached = [user.pk for user in people if not user.blocks_sender]
    _announce(message, recipients, [sender.pk, *reached])
    return message, recipients


@transaction.atomic
def send_broadcast(*, sender: User, body: str) -> tuple[Message, list[Recipient]]:
    """Send to everybody online but the sender, who they are being decided now; workers make their rows in batches.

    Raises NobodyOnline, and what redis raises where it is away.
    """
    ids = _reached(presence.online_ids(), sender)
    if not ids:
        raise NobodyOnline
    _keep_order_of_all()
    message = Message.objects.create(sender=sender, body=body, broadcast=True, recipient_count=len(ids))
    batches = [ids[start : start + BATCH] for start in range(0, len(ids), BATCH)]
    BroadcastBatch.objects.bulk_create(BroadcastBatch(message=message, recipient_ids=batch) for batch in batches)
    first = User.objects.filter(pk__in=ids[:PREVIEW]).order_by("pk").values_list("usercode", "username")
    recipients = [Recipient(usercode, username, None, None) for usercode, username in first]
    _announce(message, recipients, [sender.pk])
    for _ in batches[:WOKEN]:
        wake(tasks.fan_out_broadcasts)
    return message, recipients


def _reached(user_ids: Iterable[int], sender: User) -> list[int]:
    """Who of these people a broadcast of ``sender`` is for, in the order of their ids."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT u.id FROM unnest(%s::bigint[]) AS x (id) JOIN accounts_user u ON u.id = x.id
            WHERE u.is_active AND u.id <> %s
              AND NOT EXISTS (SELECT 1 FROM messaging_block b WHERE b.blocker_id = u.id AND b.blocked_id = %s)
            ORDER BY u.id
            """,
            [id_array(user_ids), sender.pk, sender.pk],
        )
        return [row[0] for row in cursor.fetchall()]


def _keep_order(user_ids: Iterable[int]) -> None:
    """Have the ids of messages that one person sees be given in the order in which they become visible to them.

    Ids are given before the commit: without this, somebody who reads between two commits could see message 8 before
    message 7, and whoever asks for what came ``after=8`` would never hear of 7. So whoever sends holds the people
    concerned until the commit. The locks are taken in one order everywhere, hence never wait in a circle.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT pg_advisory_xact_lock_shared(%s, 0) UNION ALL "
            "SELECT pg_advisory_xact_lock(%s, id) FROM (SELECT unnest(%s::int[]) AS id ORDER BY 1) people",
            [_LOCKS, _LOCKS, sorted({user_id % 0x7FFFFFFF + 1 for user_id in user_ids})],
        )


def _keep_order_of_all() -> None:
    """The same for a broadcast, which concerns everybody: a moment with no other message on its way."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s, 0)", [_LOCKS])


def _announce(message: Message, recipients: list[Recipient], user_ids: list[int]) -> None:
    events.publish(user_ids, "message", message_shape(message, recipients), receipt=message.pk)


def fan_out_broadcasts() -> int:
    """Make the rows of broadcasts that wait for them; returns how many batches are done."""
    return claims.work_through(BroadcastBatch.objects.defer("recipient_ids"), _fan_out)


def _fan_out(batch: BroadcastBatch) -> None:
    with connection.cursor() as cursor:
        # Held against its deletion, which would else be told to those whose rows it sees, and not to these; shared with
        # the workers that make its other batches.
        cursor.execute("SELECT 1 FROM messaging_message WHERE id = %s FOR SHARE", [batch.message_id])
        message = Message.objects.with_sender().get(pk=batch.message_id)
        # Whoever has deleted their account meanwhile is left out by the join. No row can be there already: rows and the
        # batch's end are of one commit, and the batch is locked.
        cursor.execute(
            """
            INSERT INTO messaging_messagerecipient (message_id, recipient_id, sender_id, broadcast, withheld)
            SELECT %s, u.id, %s, true, false
            FROM unnest(%s::bigint[]) AS x (id) JOIN accounts_user u ON u.id = x.id
            """,
            [message.pk, message.sender_id, id_array(batch.recipient_ids)],
        )
    batch.finish()
    _announce(message, recipients_of([message.pk])[message.pk], batch.recipient_ids)


# --- Deleting ---------------------------------------------------------------------------------------------------------


class NotTheSender(PermissionDenied):
    default_detail = "Only its sender can delete a message."
    default_code = "not_the_sender"


class TooLate(Conflict):
    default_detail = "A message can be deleted within 15 minutes."
    default_code = "too_late"


@transaction.atomic
def delete_message(*, message: Message, by: User) -> None:
    """Take back what was written, for everybody; a tombstone stays. Raises NotTheSender, TooLate."""
    if message.sender_id != by.pk:
        raise NotTheSender
    young = Message.objects.filter(pk=message.pk, deleted_at=None, created_at__gt=Now() - DELETABLE)
    if not young.update(body="", deleted_at=Now()):
        if message.deleted_at is None:
            raise TooLate
        return
    told = message.receipts.filter(withheld=False).values_list("recipient_id", flat=True)
    events.publish([by.pk, *told], "deleted", {"id": message.pk})


# --- Reading ----------------------------------------------------------------------------------------------------------


def shapes_for(*, viewer: User, message_ids: Sequence[int]) -> list[dict[str, Any]]:
    """The messages as ``viewer`` sees them, in the order of their ids given; what was not delivered before now is.

    Constant in queries: the messages, their recipients, the viewer's own receipts, and once the note of delivery.
    """
    messages = Message.objects.select_related("sender").in_bulk(message_ids)
    recipients = recipients_of(message_ids)
    own = {
        message_id: (delivered_at, read_at)
        for message_id, delivered_at, read_at in MessageRecipient.objects.received_by(viewer)
        .filter(message_id__in=message_ids)
        .values_list("message_id", "delivered_at", "read_at")
    }
    if new := [message_id for message_id, (delivered_at, _) in own.items() if delivered_at is None]:
        mark_delivered(reader=viewer, message_ids=new)
    return [
        message_shape(
            messages[pk],
            recipients[pk],
            receipts=messages[pk].sender_id == viewer.pk,
            read_at=own.get(pk, (None, None))[1],
        )
        for pk in message_ids
        if pk in messages
    ]


# --- Receipts ---------------------------------------------------------------------------------------------------------


@transaction.atomic
def mark_read(
    *,
    reader: User,
    up_to: int,
    peer: User | None = None,
    broadcast: bool = False,
    from_deleted: bool = False,
    only: int | None = None,
) -> int:
    """Note that ``reader`` has read what they received up to a message: all of it, what fits the rest, or ``only`` one.

    Tells the senders (not those of broadcasts, to whom thousands would report at once) and the reader's other devices.
    Returns how many remain unread.
    """
    rows = MessageRecipient.objects.unread_by(reader).filter(message_id__lte=up_to)
    if peer is not None:
        rows = rows.filter(sender=peer)
    if broadcast:
        rows = rows.filter(broadcast=True)
    if from_deleted:
        rows = rows.filter(sender=None)
    if only is not None:
        rows = rows.filter(message_id=only)
    # Locked in one order, so that two windows of one person cannot wait for each other.
    locked = list(rows.order_by("pk").select_for_update().values_list("pk", "sender_id", "message_id", "broadcast"))
    MessageRecipient.objects.filter(pk__in=[pk for pk, *_ in locked]).update(
        read_at=Now(), delivered_at=Coalesce("delivered_at", Now())
    )
    left = MessageRecipient.objects.unread_by(reader).count()
    if locked:
        _tell_of_reading(reader, locked, left)
    return left


def _tell_of_reading(reader: User, rows: list[tuple], left: int) -> None:
    ranges: dict[int, tuple[int, int]] = {}
    for _, sender_id, message_id, broadcast in rows:
        if sender_id is not None and sender_id != reader.pk and not broadcast:
            first, last = ranges.get(sender_id, (message_id, message_id))
            ranges[sender_id] = min(first, message_id), max(last, message_id)
    ids = [message_id for _, _, message_id, _ in rows]
    told = [
        ([reader.pk], {"reader": person(reader), "from": min(ids), "up_to": max(ids), "unread": left}),
        *(
            ([sender_id], {"reader": person(reader), "from": first, "up_to": last})
            for sender_id, (first, last) in ranges.items()
        ),
    ]
    events.publish_all([events.row(people, "read", data) for people, data in told])


def unread_by_sender(reader: User) -> list[Any]:
    """How many unread messages ``reader`` has of each sender, the most recent first; a deleted sender has no code."""
    return list(
        MessageRecipient.objects.unread_by(reader)
        .values(usercode=F("sender__usercode"), username=F("sender__username"))
        .annotate(count=Count("pk"), broadcasts=Count("pk", filter=Q(broadcast=True)), last=Max("message_id"))
        .order_by("-last")
    )


def mark_delivered(*, reader: User, message_ids: Iterable[int]) -> None:
    """Note that ``reader`` was given these messages."""
    MessageRecipient.objects.received_by(reader).filter(message_id__in=list(message_ids), delivered_at=None).update(
        delivered_at=Now()
    )


def note_deliveries() -> int:
    """Note what event streams have passed on since the last time; returns how many receipts that were."""
    with transaction.atomic(), connection.cursor() as cursor:
        # One worker at a time: what is read from the list is also removed from it.
        cursor.execute("SELECT pg_try_advisory_xact_lock(%s, 0)", [_LOCKS + 1])
        if not cursor.fetchone()[0]:
            return 0
        pairs = events.take_sent()
        if pairs:
            cursor.execute(
                """
                WITH given AS (
                    SELECT r.id FROM messaging_messagerecipient r
                    JOIN unnest(%s::bigint[], %s::bigint[]) AS x (recipient_id, message_id)
                      ON r.message_id = x.message_id AND r.recipient_id = x.recipient_id
                    WHERE r.delivered_at IS NULL AND NOT r.withheld
                    ORDER BY r.id FOR UPDATE OF r SKIP LOCKED
                )
                UPDATE messaging_messagerecipient r SET delivered_at = now() FROM given WHERE r.id = given.id
                """,
                [id_array(user_id for user_id, _ in pairs), id_array(message_id for _, message_id in pairs)],
            )
            # Before the commit, which ends the lock: a mark lost with it is made when the message is next fetched.
            events.forget_sent(len(pairs))
    return len(pairs)


# --- Blocking ---------------------------------------------------------------------------------------------------------


class CannotBlockSelf(ValidationError):
    default_detail = "You cannot block yourself."
    default_code = "cannot_block_self"


@transaction.atomic
def block(*, blocker: User, blocked: User) -> tuple[Block, bool]:
    """Receive nothing more from ``blocked``, who is not told; returns the block and whether it is new."""
    if blocker == blocked:
        raise CannotBlockSelf
    found, created = Block.objects.get_or_create(blocker=blocker, blocked=blocked)
    if created:
        _hide_anew(blocked)
    return found, created


@transaction.atomic
def unblock(*, blocker: User, blocked: User) -> None:
    """What was withheld meanwhile stays so."""
    if Block.objects.filter(blocker=blocker, blocked=blocked).delete()[0]:
        _hide_anew(blocked)


def blockers_of(user_id: int) -> list[int]:
    return list(Block.objects.filter(blocked_id=user_id).values_list("blocker_id", flat=True))


def _hide_anew(user: User) -> None:
    """Have Redis and the open streams of ``user`` learn after the commit whom they see online."""

    def tell() -> None:
        presence.keep_hidden(user.pk, blockers_of(user.pk))

    transaction.on_commit(lambda: guarded(tell))
    events.tell_processes("hidden", f"{user.pk} {' '.join(map(str, blockers_of(user.pk)))}")
