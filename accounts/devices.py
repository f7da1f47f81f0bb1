"""Which device asks: what is known of a client, to be kept with a session and told in a mail."""

import ipaddress
from datetime import datetime
from typing import Any, NamedTuple, Self

from django.utils import timezone

from config import clients

# Signs of a program and of a system in a User-Agent, and what a mail calls them. The first that is found counts: most
# browsers name others as well.
PROGRAMS = {
    "Edg": "Edge", "OPR/": "Opera", "SamsungBrowser": "Samsung Internet", "Firefox/": "Firefox", "FxiOS": "Firefox",
    "CriOS": "Chrome", "Chrome/": "Chrome", "Safari/": "Safari", "PostmanRuntime": "Postman", "curl/": "curl",
    "python-": "a Python program", "okhttp": "an Android program", "CFNetwork": "a program of Apple's kind",
}  # fmt: skip
SYSTEMS = {
    "iPhone": "an iPhone", "iPad": "an iPad", "Android": "Android", "Windows": "Windows", "Macintosh": "a Mac",
    "CrOS": "ChromeOS", "Linux": "Linux",
}  # fmt: skip


class Device(NamedTuple):
    ip: str | None = None
    user_agent: str = ""

    @classmethod
    def of(cls, request: Any) -> Self:
        return cls(clients.client_ip(request), clients.user_agent(request))

    def told(self, at: datetime | None = None) -> dict[str, str]:
        """How a mail names it: ``asked_from``, ``asked_with`` and ``asked_at`` (now, where nothing else is given)."""
        return {
            "asked_from": self.ip or "an unknown address",
            "asked_with": self.program,
            "asked_at": f"{at or timezone.now():%d %B %Y, %H:%M} UTC",
        }

    @property
    def program(self) -> str:
        """Such as ``Firefox on Linux``.

        In words of ours alone: whoever asks for a mail to somebody else writes the User-Agent, and must not write lines
        of that mail by it.
        """
        program = next((name for sign, name in PROGRAMS.items() if sign in self.user_agent), "an unknown program")
        system = next((name for sign, name in SYSTEMS.items() if sign in self.user_agent), "")
        return f"{program} on {system}" if system else program

    def near(self, ip: str | None) -> bool:
        """Whether ``ip`` is of the same network (a /24, or a /64 of IPv6), as one home or office has it."""
        if self.ip is None or ip is None:
            return self.ip == ip
        mine = ipaddress.ip_address(self.ip)
        return ipaddress.ip_address(ip) in ipaddress.ip_network((mine, 24 if mine.version == 4 else 64), strict=False)
