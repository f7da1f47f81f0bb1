"""Passkeys: what a browser is asked, and the check of what it answers (W3C WebAuthn level 2, by py_webauthn)."""

import ipaddress
from collections.abc import Iterable
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import webauthn
from django.conf import settings
from webauthn.helpers import base64url_to_bytes, bytes_to_base64url, options_to_json_dict
from webauthn.helpers.structs import (
    AuthenticatorSelectionCriteria,
    AuthenticatorTransport,
    PublicKeyCredentialDescriptor,
    ResidentKeyRequirement,
    UserVerificationRequirement,
)

from ..models import Passkey, User

RP_NAME = "Atrium"
TIMEOUT = 300_000  # milliseconds: as long as a ticket lives
KNOWN_TRANSPORTS = {each.value for each in AuthenticatorTransport}


class InvalidCredential(Exception):
    """The browser's answer is malformed, or it is not the answer to this challenge by this passkey on this site."""


class RelyingParty(NamedTuple):
    """This site as passkeys know it."""

    id: str
    origin: str


class NewCredential(NamedTuple):
    """A passkey that a browser has just created."""

    credential_id: bytes
    public_key: bytes
    sign_count: int
    transports: list[str]


class Assertion(NamedTuple):
    """A valid answer of a passkey. ``is_clone``: its counter did not grow, so a copy of the passkey exists."""

    sign_count: int
    is_clone: bool


def relying_party() -> RelyingParty | None:
    """Return this site: host and origin of ``PUBLIC_URL``; None for an IP address, which WebAuthn does not allow."""
    url = urlsplit(settings.PUBLIC_URL)
    host = url.hostname or ""
    try:
        ipaddress.ip_address(host)
    except ValueError:
        default = {"http": 80, "https": 443}.get(url.scheme)
        port = f":{url.port}" if url.port and url.port != default else ""
        return RelyingParty(host, f"{url.scheme}://{host}{port}")
    return None


def creation_options(site: RelyingParty, *, user: User, challenge: bytes, user_handle: bytes) -> dict[str, Any]:
    """Return the options of ``navigator.credentials.create()``, as JSON."""
    options = webauthn.generate_registration_options(
        rp_id=site.id,
        rp_name=RP_NAME,
        user_id=user_handle,
        user_name=user.username,
        challenge=challenge,
        timeout=TIMEOUT,
        authenticator_selection=AuthenticatorSelectionCriteria(
            resident_key=ResidentKeyRequirement.PREFERRED, user_verification=UserVerificationRequirement.PREFERRED
        ),
        exclude_credentials=_descriptors(user.passkeys.all()),
    )
    return options_to_json_dict(options)


def request_options(
    site: RelyingParty, *, challenge: bytes, passkeys: Iterable[Passkey] = (), verify_user: bool = False
) -> dict[str, Any]:
    """Return the options of ``navigator.credentials.get()``, as JSON; any passkey of this site without ``passkeys``.

    ``verify_user`` demands the PIN or the fingerprint of the device.
    """
    need = UserVerificationRequirement.REQUIRED if verify_user else UserVerificationRequirement.PREFERRED
    options = webauthn.generate_authentication_options(
        rp_id=site.id,
        challenge=challenge,
        timeout=TIMEOUT,
        allow_credentials=_descriptors(passkeys),
        user_verification=need,
    )
    return options_to_json_dict(options)


def check_creation(site: RelyingParty, *, credential: dict[str, Any], challenge: bytes) -> NewCredential:
    """Check the answer to :func:`creation_options`; raises InvalidCredential."""
    try:
        new = webauthn.verify_registration_response(
            credential=credential, expected_challenge=challenge, expected_rp_id=site.id, expected_origin=site.origin
        )
        transports = credential.get("response", {}).get("transports") or []
        known = sorted({each for each in transports if isinstance(each, str)} & KNOWN_TRANSPORTS)
    except Exception as error:  # parsers of CBOR, ASN.1 and keys raise many types for hostile input; no query runs here
        raise InvalidCredential(str(error)) from error
    return NewCredential(new.credential_id, new.credential_public_key, new.sign_count, known)


def check_assertion(
    site: RelyingParty, *, credential: dict[str, Any], challenge: bytes, passkey: Passkey, verify_user: bool = False
) -> Assertion:
    """Check the answer of ``passkey`` to :func:`request_options`; raises InvalidCredential."""
    try:
        used = webauthn.verify_authentication_response(
            credential=credential,
            expected_challenge=challenge,
            expected_rp_id=site.id,
            expected_origin=site.origin,
            credential_public_key=bytes(passkey.public_key),
            credential_current_sign_count=0,  # compared below, because a clone is reported
            require_user_verification=verify_user,
        )
        handle = credential["response"].get("userHandle")
        is_owner = not handle or base64url_to_bytes(handle) == bytes(passkey.user_handle)
    except Exception as error:  # as in check_creation
        raise InvalidCredential(str(error)) from error
    if not is_owner:
        raise InvalidCredential("The user handle is that of another account.")
    # Passkeys that are synchronized between devices do not count: both numbers stay 0.
    counts = used.new_sign_count > 0 or passkey.sign_count > 0
    return Assertion(used.new_sign_count, counts and used.new_sign_count <= passkey.sign_count)


def credential_id(credential: dict[str, Any]) -> bytes | None:
    """Return the ID of the passkey that a browser's answer names; None if it is malformed."""
    try:
        return base64url_to_bytes(credential["id"])
    except Exception:  # any type may be in the JSON
        return None


def encode(data: bytes) -> str:
    """Return ``data`` as base64url without padding, as WebAuthn writes bytes in JSON."""
    return bytes_to_base64url(data)


def _descriptors(passkeys: Iterable[Passkey]) -> list[PublicKeyCredentialDescriptor]:
    return [
        PublicKeyCredentialDescriptor(
            id=bytes(each.credential_id), transports=[AuthenticatorTransport(name) for name in each.transports] or None
        )
        for each in passkeys
    ]
