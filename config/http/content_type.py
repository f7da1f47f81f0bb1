"""The ``Content-Type`` of requests. Django does not expect some of the values that a client can send.

They would end the request with an error 500 before a view, or the handler of API errors, is reached.
"""

import codecs
from functools import lru_cache

from django.http import multipartparser
from django.utils.http import parse_header_parameters

ASCII = bytes(range(128))


def problem_with(content_type: str) -> str:
    """Return why Django cannot use this ``Content-Type``, or an empty text."""
    if ";" not in content_type:
        return ""
    try:
        _, parameters = _parse(content_type)
    except ValueError:
        return "The Content-Type header is malformed."
    if not _is_usable(parameters.get("charset", "")):
        return "The charset in the Content-Type header is not supported. Send UTF-8."
    return ""


@lru_cache(maxsize=64)
def _is_usable(charset: str) -> bool:
    """Return whether ``charset`` can be used for forms and query strings, or is unknown: then Django uses UTF-8."""
    try:
        name = codecs.lookup(charset).name
    except LookupError:
        return True
    except ValueError:
        return False
    try:
        return "escape" not in name and ASCII.decode(name) == ASCII.decode()
    except (LookupError, ValueError):  # a codec that is not for text, such as base64, or not compatible with ASCII
        return False


def _parse(line: str) -> tuple[str, dict[str, str]]:
    """Parse a header with parameters; raises ValueError, also for ``a*0=b; a*=c``, which is a TypeError in Python."""
    try:
        main, parameters = parse_header_parameters(line)
    except TypeError as error:
        raise ValueError(line) from error
    return main, parameters


def install() -> None:
    """Let Django skip the headers of a multipart body that Python cannot parse, as it skips others."""
    multipartparser.parse_header_parameters = _parse  # type: ignore[attr-defined]
