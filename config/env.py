"""Read environment variables: an empty one counts as not set, an invalid one stops the start with a clear error."""

import os
import re
from ipaddress import IPv4Network, IPv6Network, ip_network
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import environ
from django.core.exceptions import ImproperlyConfigured

from .redis_urls import is_sentinel, parse_sentinel_url


class Env(environ.Env):
    def get_value(self, var: Any, cast: Any = None, default: Any = environ.Env.NOTSET, **options: Any) -> Any:
        if default is not self.NOTSET and not os.environ.get(var, "").strip():
            return default
        return super().get_value(var, cast=cast, default=default, **options)

    def number(self, name: str, *, default: float, least: float = 0) -> Any:
        """Return a number of ``default``'s type, ``least`` or more."""
        text, kind = self.str(name, default=str(default)), type(default)
        try:
            if (value := kind(text)) >= least:
                return value
        except ValueError:
            pass
        raise ImproperlyConfigured(
            f"{name} must be a {'whole ' * (kind is int)}number, {least} or more, not {text.strip()!r}."
        )

    def optional_number(self, name: str) -> int | None:
        """Return a whole number, or None if the variable is empty or not set."""
        return self.number(name, default=0) if self.str(name, default="").strip() else None

    def choice(self, name: str, *, default: str, choices: tuple[str, ...]) -> str:
        """Return one of ``choices``; case does not matter."""
        text: str = self.str(name, default=default).strip()
        if text.lower() not in choices:
            raise ImproperlyConfigured(f"{name} must be one of {', '.join(filter(None, choices))}, not {text!r}.")
        return text.lower()

    def address(self, name: str, *, default: str, like: str, schemes: tuple[str, ...]) -> str:
        """Return a URL; ``like`` is an example for the error, which never shows the value: it may hold a password."""
        url: str = self.str(name, default=default)
        try:
            first = urlsplit(url.partition(";")[0])  # a broker URL may list several servers
            if first.scheme in schemes and (parse_sentinel_url(url) if is_sentinel(url) else first.port != 0):
                return url
        except ValueError:
            pass
        if url == default:
            return url
        escaped = ", with / ? # @ : in user and password as %2F %3F %23 %40 %3A" if "@" in like else ""
        raise ImproperlyConfigured(f"{name} must look like {like}{escaped}.")

    def networks(self, name: str) -> list[IPv4Network | IPv6Network]:
        """Return networks such as ``10.1.0.0/16``, separated by commas."""
        texts: list[str] = self.list(name, default=[])
        try:
            return [ip_network(text.strip()) for text in texts if text.strip()]
        except ValueError as error:
            raise ImproperlyConfigured(f"{name} must list networks such as 10.1.0.0/16: {error}.") from error

    def cron(self, name: str) -> str:
        """Return a schedule as five fields of cron; an empty one means never."""
        text: str = self.str(name, default="").strip()
        if text:
            from celery.schedules import ParseException, crontab  # takes a while to import

            try:
                crontab.from_string(text)
            except (ValueError, ParseException) as error:
                raise ImproperlyConfigured(f"{name} must be five fields such as 30 2 * * *, not {text!r}.") from error
        return text

    def rate(self, name: str, *, default: str) -> str:
        """Return a throttle rate such as ``20/min``; an empty one turns the throttle off."""
        text = os.environ.get(name, default).strip()
        if text and not re.fullmatch(r"\d+/(s|m|h|d)[a-z]*", text):
            raise ImproperlyConfigured(f"{name} must look like 20/min, with s, min, hour or day, not {text!r}.")
        return text

    def load(self, root: Path) -> Path:
        """Read ``.env``, then ``ATRIUM_HOME/env``, without overwriting what is set; return ATRIUM_HOME."""
        self.read_env(root / ".env")
        home = (root / self.str("ATRIUM_HOME", default=".atrium")).resolve()
        saved = home / "env"
        for line in saved.read_text().splitlines() if saved.exists() else []:
            name = line.partition("=")[0].strip()
            if not os.environ.get(name, "").strip():
                os.environ.pop(name, None)
        self.read_env(saved)
        return home


env = Env()
