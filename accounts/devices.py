"""The client that sent a request, as sessions store it and mails describe it."""

import ipaddress
from datetime import datetime
from typing import Any, NamedTuple, Self

from django.utils import timezone

from config import client_ip

# Substrings of a User-Agent and the names that mails use for them. The first match counts: most browsers also name
# other browsers.
PROGRAMS = {
    "Edg": "Edge", "OPR/": "Opera", "SamsungBrowser": "Samsung Internet", "Firefox/": "Firefox", "FxiOS": "Firefox",
    "CriOS": "Chrome", "Chrome/": "Chrome", "Safari/": "Safari", "PostmanRuntime": "Postman", "curl/": "curl",
    "python-": "a Python program", "okhttp": "an Android program", "CFNetwork": "an Apple program",
}  # fmt: skip
SYSTEMS = {
    "iPhone": "an iPhone", "iPad": "an iPad", "Android": "Android", "Windows": "Windows", "Macintosh": "a Mac",
    "CrOS": "ChromeOS", "Linux": "Linux",
}  # fmt: skip


class Device(NamedTuple):
    """Address and User-Agent of a client."""

    ip: str | None = None
    user_agent: str = ""

    @classmethod
    def of(cls, request: Any) -> Self:
        return cls(client_ip.client_ip(request), client_ip.user_agent(request))

    def mail_context(self, at: datetime | None = None) -> dict[str, str]:
        """Return the template variables that describe the client: ``asked_from``, ``asked_with`` and ``asked_at``.

        ``at`` is the time of the request; the default is now.
        """
        return {
            "asked_from": self.ip or "an unknown address",
            "asked_with": self.program,
            "asked_at": f"{at or timezone.now():%d %B %Y, %H:%M} UTC",
        }

    @property
    def program(self) -> str:
        """A description such as ``Firefox on Linux``.

        It contains nothing of the User-Agent itself: the sender of a request could otherwise put text into a mail to
        somebody else.
        """
        program = next((name for sign, name in PROGRAMS.items() if sign in self.user_agent), "an unknown program")
        system = next((name for sign, name in SYSTEMS.items() if sign in self.user_agent), "")
        return f"{program} on {system}" if system else program

    def is_near(self, ip: str | None) -> bool:
        """Return whether ``ip`` is in the same network: a /24, or a /64 for IPv6."""
        if self.ip is None or ip is None:
            return self.ip == ip
        mine = ipaddress.ip_address(self.ip)
        return ipaddress.ip_address(ip) in ipaddress.ip_network((mine, 24 if mine.version == 4 else 64), strict=False)
