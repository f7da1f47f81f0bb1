"""Every process is connected through one PgBouncer in transaction mode, which dies and returns under traffic."""

import json
import random
from collections.abc import Callable
from pathlib import Path

import pytest

from ..conftest import Inbox
from ..pgbouncer import PgBouncer
from ..waiting import wait_until
from ..webhooks.conftest import Receiver
from .stack import Stack
from .test_contacts import Uploader
from .test_messaging import (
    Follower,
    assert_everything_arrived_once,
    assert_followers_know_everything_once,
    create_people,
    write_during,
)
from .test_outages import ask_for_resets, use_mail_server

SIZE = 4  # connections to Postgres, for all processes together
ROLES = ("web", "events", "worker", "webhooks", "beat")
CREATE_WEBHOOK = """
from accounts.models import User
from config.webhooks import services
services.create_webhook(owner=User.objects.get(username="p0"), url=URL, kinds=["message"])
"""


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_all_processes_share_a_pool_and_recover_when_it_dies_and_returns(
    build_stack: Callable[..., Stack], tmp_path: Path, smtp: Inbox
) -> None:
    stack = build_stack(
        **use_mail_server(smtp), WEBHOOKS_ALLOW_HTTP="true", WEBHOOKS_ALLOWED_NETWORKS="127.0.0.0/8", CONTACT_WINDOW="2"
    )
    pool, receiver = PgBouncer(tmp_path, stack.servers.database_url, size=SIZE), Receiver()
    pool.start()
    stack.settings["DATABASE_URL"] = pool.url
    try:
        processes = {role: stack.start(role) for role in ROLES}
        wait_until(stack.ready, timeout=120)
        people = create_people(stack, 22)[:2]
        stack.sql("UPDATE accounts_user SET email_verified_at = now()")
        stack.manage("shell", "--no-imports", "--command", CREATE_WEBHOOK.replace("URL", repr(receiver.url)))
        addresses = [f"p{n}@example.org" for n in range(2, 22)]
        uploader, chance = Uploader(stack), random.Random(5)
        followers = [Follower(person) for person in people]

        def disturb() -> None:
            for turn in range(2):
                ask_for_resets(stack, addresses[turn * 10 : turn * 10 + 10])
                uploader.send_random(3_000, chance)
                pool.kill()
                wait_until(lambda: not stack.ready(), what="a site without its pool")
                pool.start()
                wait_until(stack.ready, what="readiness after the return of the pool")

        acknowledged = write_during(people, disturb)
        wait_until(lambda: {m["To"] for m in smtp.messages} == set(addresses), timeout=120, what="every mail")
        # A worker whose connection breaks between sending and the commit sends that mail again.
        assert len(smtp.messages) <= len(addresses) + 2
        wait_until(uploader.all_stored, timeout=120, what="every row of the sheets")
        uploader.check(window=2)
        waiting = "SELECT 1 FROM {} WHERE done_at IS NULL"
        for table in ("messaging_broadcastbatch", "config_webhookdelivery"):
            wait_until(lambda t=table: not stack.sql(waiting.format(t)), timeout=120, what=f"the end of {table}")
        assert_everything_arrived_once(people, acknowledged)
        assert_followers_know_everything_once(followers, acknowledged)
        for follower in followers:
            follower.close()
        # Each delivery is one, however often it was sent.
        assert stack.sql("SELECT count(*) FROM config_webhookdelivery") == [(len(receiver.ids()),)]
        delivered = {json.loads(request.body)["data"]["id"] for request in receiver.requests}
        assert {pk for (pk,) in stack.sql("SELECT id FROM messaging_message WHERE NOT broadcast")} <= delivered
        # Nothing bypasses the pool, and nothing is left in one of its connections.
        connections = "FROM pg_stat_activity WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()"
        assert stack.sql(f"SELECT count(*) {connections}")[0][0] <= SIZE
        wait_until(
            lambda: not stack.sql("SELECT 1 FROM pg_locks WHERE locktype = 'advisory'"),
            what="connections without a lock of a session",
        )
        for role, process in processes.items():
            assert process.poll() is None, f"{role} exited"
            assert "Traceback" not in stack.log(role), f"a traceback in the log of {role}"
    finally:
        pool.kill()
        receiver.server.shutdown()
        receiver.server.server_close()
