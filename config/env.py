"""The environment: a variable set to nothing is not set, and a value that cannot be is refused in a sentence."""

import os
import re
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import environ
from django.core.exceptions import ImproperlyConfigured


class Env(environ.Env):
    def get_value(self, var: Any, cast: Any = None, default: Any = environ.Env.NOTSET, **options: Any) -> Any:
        if default is not self.NOTSET and not os.environ.get(var, "").strip():
            return default
        return super().get_value(var, cast=cast, default=default, **options)

    def number(self, name: str, *, default: float, least: float = 0) -> Any:
        """A number of the default's kind."""
        text, kind = self.str(name, default=str(default)), type(default)
        try:
            if (value := kind(text)) >= least:
                return value
        except ValueError:
            pass
        raise ImproperlyConfigured(
            f"{name} must be a {'whole ' * (kind is int)}number, {least} or more, not {text.strip()!r}."
        )

    def address(self, name: str, *, default: str, like: str, schemes: tuple[str, ...]) -> str:
        """A URL, which is not repeated where it is refused: there may be a password in it."""
        url: str = self.str(name, default=default)
        try:
            first = urlsplit(url.partition(";")[0])  # a broker may be several
            if first.scheme in schemes and first.port != 0:
                return url
        except ValueError:
            pass
        if url == default:
            return url
        escaped = ", with / ? # @ : in user and password as %2F %3F %23 %40 %3A" if "@" in like else ""
        raise ImproperlyConfigured(f"{name} must look like {like}{escaped}.")

    def rate(self, name: str, *, default: str) -> str:
        """A throttle; set to nothing it is off."""
        text = os.environ.get(name, default).strip()
        if text and not re.fullmatch(r"\d+/(s|m|h|d)[a-z]*", text):
            raise ImproperlyConfigured(f"{name} must look like 20/min, with s, min, hour or day, not {text!r}.")
        return text

    def load(self, root: Path) -> Path:
        """Read ``.env``, then ``ATRIUM_HOME/env``; returns ATRIUM_HOME. What is set already stays."""
        self.read_env(root / ".env")
        home = (root / self.str("ATRIUM_HOME", default=".atrium")).resolve()
        kept = home / "env"
        for line in kept.read_text().splitlines() if kept.exists() else []:
            name = line.partition("=")[0].strip()
            if not os.environ.get(name, "").strip():
                os.environ.pop(name, None)
        self.read_env(kept)
        return home


env = Env()
