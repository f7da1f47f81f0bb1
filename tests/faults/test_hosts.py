"""Several machines under traffic: each host is cut off, frozen and killed, and at the end the standby takes over.

The hosts are network namespaces, so this needs root, iproute2, nginx, PgBouncer and RabbitMQ. ``docs/scaling.md``
contains the table that the drill prints: ``bin/test --all -s tests/faults/test_hosts.py``.
"""

import collections
import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from aiosmtpd.controller import Controller

from ..places import free_port
from ..standby import Positions
from ..waiting import wait_until
from .network import Host, Network, why_unavailable
from .site import Site
from .traffic import ROWS, TimedInbox, Traffic

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1500)]

FAULTS: dict[str, tuple[Callable[[Host], None], Callable[[Host], None]]] = {
    "cut off": (Host.disconnect, Host.reconnect),
    "frozen": (Host.freeze, Host.thaw),
    "killed": (Host.kill, Host.start),
}
STEPS = [
    ("web1", "cut off"), ("web2", "frozen"), ("web1", "killed"),
    ("events1", "cut off"), ("events2", "frozen"), ("events1", "killed"),
    ("worker1", "cut off"), ("worker2", "frozen"), ("worker3", "killed"),
    ("beat1", "cut off"), ("beat2", "frozen"), ("beat1", "killed"),
    ("redis", "cut off"), ("redis", "killed"),
]  # fmt: skip
UNFINISHED = {
    "broadcasts": "SELECT 1 FROM messaging_broadcastbatch WHERE done_at IS NULL",
    "links": "SELECT 1 FROM accounts_accountlink WHERE done_at IS NULL AND failed_at IS NULL",
    "sheets": "SELECT 1 FROM contacts_filemetadata WHERE done_at IS NULL AND failed_at IS NULL",
    "waiting rows": "SELECT 1 FROM contacts_unprocessedcontact",
}
LINK = re.compile(r"<link-(\d+)-\d+@")


class Drill:
    """Steps on a site under traffic, with what the clients saw in each.

    ``lost``: the instants between which an acknowledged write may not have reached the standby. ``interrupted``: how
    many workers may have sent a mail without the commit that marks it as sent.
    """

    def __init__(self, site: Site, traffic: Traffic) -> None:
        self.site, self.traffic = site, traffic
        self.steps: list[tuple[str, float, float, float]] = []  # name, began, recovered, ended
        self.lost: list[tuple[float, float]] = []
        self.interrupted = 0

    def fail_host(self, name: str, fault: str) -> None:
        """Keep up the fault until everything works without the host, then repair it and wait for the host."""
        host = self.site.redis_primary() if name == "redis" else self.site.hosts[name]
        begin, end = FAULTS[fault]
        self.interrupted += name.startswith("worker")
        began = time.monotonic()
        begin(host)
        recovered = self.traffic.wait_until_recovered(began, f"a site without {host.name}, which is {fault}")
        end(host)
        repaired = time.monotonic()
        wait_until(lambda: self.site.is_healthy(host), timeout=120, what=f"{host.name} after the repair")
        self.traffic.wait_until_recovered(repaired, f"a site with {host.name} again")
        self.record(f"{name.rstrip('123')} {fault}", began, recovered)

    def restart(self, name: str) -> None:
        """Kill a server of which there is only one and start it at once."""
        self.interrupted += 3
        host = self.site.hosts[name]
        began = time.monotonic()
        host.kill()
        host.start()
        self.record(
            f"{name} restarted", began, self.traffic.wait_until_recovered(began, f"a site after a restart of {name}")
        )

    def lose_primary(self, *, behind: bool) -> None:
        """Kill the primary and promote the standby, which was cut off for some requests before if it is ``behind``."""
        site, traffic = self.site, self.traffic
        self.interrupted += 3
        old, standby = (site.hosts[Path(server.folder).name] for server in (site.primary, site.standby))
        positions = Positions(site.primary)
        positions.start()
        wait_until(lambda: positions.samples, what="the first position of the primary")
        if behind:
            standby.disconnect()
            cut = time.monotonic()
            wait_until(
                lambda: len([at for _, at in traffic.messages_since(cut)]) >= 5, what="messages without a standby"
            )
        began = time.monotonic()
        old.kill()
        old.disconnect()  # a machine that is off does not send what its kernel still had to send
        killed = time.monotonic()
        standby.reconnect()
        self.lost.append((positions.instant(site.standby.received()), killed))
        site.promote_standby()
        what = "the standby as the primary"
        name = "primary killed, standby cut off before" if behind else "primary killed"
        self.record(name, began, traffic.wait_until_recovered(began, what))
        old.reconnect()
        site.rebuild_standby()

    def record(self, step: str, began: float, recovered: float) -> None:
        self.steps.append((step, began, recovered, time.monotonic()))

    def table(self) -> str:
        """Return the rows of the table in docs/scaling.md."""
        return "\n".join(self.traffic.report(*instants).row(step) for step, *instants in self.steps)

    def may_be_lost(self, at: float) -> bool:
        return any(first < at <= last for first, last in self.lost)


@pytest.fixture
def network() -> Iterator[Network]:
    if reason := why_unavailable():
        pytest.skip(reason)
    network = Network()
    try:
        yield network
    finally:
        network.close()


@pytest.fixture
def inbox(network: Network) -> Iterator[TimedInbox]:
    inbox = TimedInbox()
    inbox.port = free_port()
    controller = Controller(inbox, hostname=network.gateway, port=inbox.port)
    controller.start()
    yield inbox
    controller.stop()


@pytest.fixture
def site(network: Network, inbox: TimedInbox, tmp_path: Path, migrated_database: Path) -> Iterator[Site]:
    site = Site(tmp_path, network, migrated_database, f"smtp://{network.gateway}:{inbox.port}")
    try:
        site.start()
        yield site
    finally:
        network.close()
        print(site.logs())


@pytest.fixture
def traffic(site: Site, inbox: TimedInbox) -> Iterator[Traffic]:
    traffic = Traffic(site, inbox)
    yield traffic
    traffic.close()


def test_no_fault_of_a_host_loses_or_repeats_what_was_acknowledged(
    site: Site, traffic: Traffic, capsys: pytest.CaptureFixture
) -> None:
    drill = Drill(site, traffic)
    traffic.wait_until_recovered(time.monotonic(), "a working site")
    with capsys.disabled():
        try:
            for name, fault in STEPS:
                drill.fail_host(name, fault)
            for name in ("rabbit", "pool"):
                drill.restart(name)
            for behind in (False, True):
                drill.lose_primary(behind=behind)
        finally:
            traffic.stop()
            print(drill.table())
        traffic.check()
        for what, query in UNFINISHED.items():
            wait_until(lambda query=query: not site.sql(query), timeout=120, what=f"the end of all {what}")
        for check in (check_messages, check_notes, check_sheets, check_mails):
            check(drill)
    for role in site.roles:
        assert role.is_running(), f"{role.name} on {role.host.name} exited"
        assert "Traceback" not in role.log.read_text(), f"a traceback in the log of {role.name} on {role.host.name}"


def check_messages(drill: Drill) -> None:
    """Every acknowledged message is stored once, and its recipients have it once."""
    traffic, rows = drill.traffic, drill.site.sql("SELECT body FROM messaging_message")
    acknowledged = {body: at for writer in traffic.writers for body, at in writer.acknowledged.items()}
    sent = {body: entry for writer in traffic.writers for body, entry in writer.sent.items()}
    lost = compare("messages", drill, acknowledged, [row[0] for row in rows])
    for person in traffic.readers_of_events:
        history = person.bodies()
        assert len(history) == len(set(history)), "no duplicates"
        assert set(history) == {body for body, (_, who) in sent.items() if person.usercode in who} - lost
    for follower in traffic.followers:
        mine = {pk for body, (pk, who) in sent.items() if follower.person.usercode in who and body not in lost}
        wait_until(lambda known=follower.known, mine=mine: known >= mine, what="the client to know every message")
        assert follower.known <= {pk for pk, who in sent.values() if follower.person.usercode in who}
        # After the loss of the primary, events of its last seconds may be sent again before clients get the resync.
        late = {pk for first, last in drill.lost for pk, at in traffic.messages_since(first - 10) if at < last + 20}
        assert follower.duplicates <= late


def check_notes(drill: Drill) -> None:
    rows = drill.site.sql("SELECT title FROM notes_note")
    compare("notes", drill, drill.traffic.notes.acknowledged, [row[0] for row in rows])


def check_sheets(drill: Drill) -> None:
    """Every row of an acknowledged sheet is stored once."""
    rows = drill.site.sql("SELECT name, count(*), count(DISTINCT phone_key) FROM contacts_contact GROUP BY name")
    assert {tuple(counts) for _, *counts in rows} == {(ROWS, ROWS)}, "each row of a sheet once"
    compare("sheets", drill, drill.traffic.sheets.acknowledged, [row[0] for row in rows])


def check_mails(drill: Drill) -> None:
    """Every acknowledged request for a link led to one mail, apart from copies that interrupted workers sent."""
    traffic = drill.traffic
    links: dict[str, set[str]] = collections.defaultdict(set)
    for message in traffic.inbox.messages:
        links[message["To"]].add(LINK.match(message["Message-ID"])[1])
    assert max(map(len, links.values())) == 1, "one link for each request"
    lost = {address for address in traffic.resets.acknowledged if address not in links}
    assert all(drill.may_be_lost(traffic.resets.acknowledged[address]) for address in lost), lost
    # A mail is sent again if its worker dies before the commit, or if the commit had not reached the standby.
    copies = len(traffic.inbox.messages) - len(links)
    unmarked = sum(drill.may_be_lost(at) for at, _ in traffic.inbox.arrivals)
    assert copies <= drill.interrupted + unmarked
    print(f"mails: {len(traffic.resets.acknowledged)} acknowledged, {len(lost)} lost, {copies} sent twice")


def compare(kind: str, drill: Drill, acknowledged: dict[str, float], stored: list[str]) -> set[str]:
    """Check that what was acknowledged is stored, and once; returns what was lost with the old primary."""
    assert len(stored) == len(set(stored)), f"{kind} stored twice"
    assert set(stored) <= acknowledged.keys(), f"{kind} that were not acknowledged"
    lost = acknowledged.keys() - set(stored)
    wrong = {each: acknowledged[each] for each in lost if not drill.may_be_lost(acknowledged[each])}
    assert not wrong, f"{kind} that had reached the standby: {wrong}, not in {drill.lost}"
    print(f"{kind}: {len(acknowledged)} acknowledged, {len(lost)} lost")
    return lost
