"""Registration. A pending registration becomes an account when its mailed link is used."""

from datetime import timedelta

from django.conf import settings
from django.contrib.auth.hashers import make_password
from django.db import IntegrityError, transaction
from django.db.models.functions import Coalesce, Now
from rest_framework.exceptions import PermissionDenied, ValidationError

from config import audit
from config.api.errors import Conflict

from ..addresses import lookup_key
from ..devices import Device
from ..hashers import normalize_password, password_matches
from ..models import AccountLink, PendingRegistration, User
from . import links
from .links import Purpose
from .passwords import check_all, check_strength

LIFETIME = timedelta(days=7)
# Names that others could mistake for the service or its staff, or for a deleted account.
RESERVED_USERNAMES = frozenset({
    "abuse", "account", "accounts", "admin", "administrator", "all", "anonymous", "api", "atrium", "billing",
    "contact", "deleted", "everybody", "everyone", "hostmaster", "info", "legal", "mailer", "moderator", "nobody",
    "noreply", "null", "official", "operator", "postmaster", "privacy", "root", "sales", "security", "service",
    "staff", "superuser", "support", "sysadmin", "system", "undefined", "unknown", "webmaster", "www",
})  # fmt: skip


class UsernameTaken(ValidationError):
    """A user or a pending registration has the username, or it is reserved."""

    def __init__(self) -> None:
        super().__init__({"username": ["This username is taken. Choose another one."]}, "username_taken")


class EmailTaken(Conflict):
    """Another account has the address since the link was requested."""

    default_detail = "This address now belongs to another account."
    default_code = "email_taken"


class UsernameConflict(Conflict):
    """Staff have given the username to another account since the registration."""

    default_detail = "This username now belongs to another account. Register again with another one."
    default_code = "username_taken"


class RegistrationClosed(PermissionDenied):
    """This site does not accept the registration: see REGISTRATION and REGISTRATION_DOMAINS."""

    default_detail = "You cannot register here."
    default_code = "registration_closed"


def check_may_register(email: str) -> None:
    """Raise RegistrationClosed unless anybody with this address may register without an invitation.

    The answer depends on the settings and the domain only, so it reveals nothing about accounts.
    """
    if settings.REGISTRATION == "closed":
        raise RegistrationClosed("Registration is closed. Ask the operator of this site for an account.")
    if settings.REGISTRATION == "invite":
        raise RegistrationClosed("Registration is by invitation. Ask the operator of this site to invite you.")
    check_domain(email)


def check_domain(email: str) -> None:
    """Raise RegistrationClosed if REGISTRATION_DOMAINS excludes the domain of ``email``."""
    allowed = settings.REGISTRATION_DOMAINS
    if allowed and lookup_key(email).rpartition("@")[2] not in allowed:
        raise RegistrationClosed(f"Only e-mail addresses of these domains can register: {', '.join(allowed)}.")


@transaction.atomic
def register(*, email: str, username: str, password: str, device: Device) -> None:
    """Create a pending registration and mail a link that confirms its address.

    Nothing here looks the address up, so known and unknown addresses cannot be told apart. The worker mails a notice
    instead of a link if the address has an account. Raises RegistrationClosed, or a validation error for a username
    that is taken and a weak password.
    """
    check_may_register(email)
    check_new_account(user=User(email=email, username=username), password=password)
    encoded = make_password(normalize_password(password))
    try:
        with transaction.atomic():
            registration = PendingRegistration.objects.create(
                email=email, username=username, password=encoded, expires_at=Now() + LIFETIME
            )
    except IntegrityError as error:  # a concurrent registration
        raise UsernameTaken from error
    links.request_link(purpose=Purpose.VERIFY_EMAIL, email=email, registration=registration, device=device)


def check_new_account(*, user: User, password: str) -> None:
    """Raise one validation error if the username of a new account is taken, its password is weak, or both."""
    check_all(
        lambda: check_username(user.username),
        lambda: check_strength(password=password, user=user, field="password"),
    )


def check_username(username: str) -> None:
    """Raise UsernameTaken unless ``username`` can be registered."""
    if not username_is_free(username):
        raise UsernameTaken


def username_is_free(username: str) -> bool:
    """Return whether ``username`` can be registered; deletes an expired registration that has it."""
    if username.lower() in RESERVED_USERNAMES or User.objects.by_login(username).exists():
        return False
    PendingRegistration.objects.by_login(username).filter(expires_at__lte=Now()).delete()
    return not PendingRegistration.objects.by_login(username).exists()


def resend_verification(*, email: str, device: Device) -> None:
    """Mail a new link for each pending registration of ``email``, unless the address has a confirmed account."""
    links.request_link(purpose=Purpose.VERIFY_EMAIL, email=email, device=device)


def pending_password_matches(*, login: str, password: str) -> bool:
    """Return whether ``password`` is that of the newest pending registration of ``login``; always costs one hash."""
    registration = PendingRegistration.objects.by_login(login).active().first() if "\x00" not in login else None
    return password_matches(password, registration.password if registration else None)


@transaction.atomic
def create_account(registration: PendingRegistration) -> User:
    """Create the account of a confirmed registration and void the other registrations of its address.

    Raises EmailTaken or UsernameConflict.
    """
    links.lock_address(registration.email)
    user = User(email=registration.email, username=registration.username, password=registration.password)
    try:
        save_confirmed(user, way="registration")
    except IntegrityError as error:
        raise (UsernameConflict if "user_username_unique" in str(error) else EmailTaken) from error
    # The used link must stay: using it again is "expired", not "invalid".
    registration.links.update(user=user, registration=None, spent_at=Coalesce("spent_at", Now()))
    registration.delete()
    void_registrations(registration.email)
    return User.objects.get(pk=user.pk)


def save_confirmed(user: User, *, way: str) -> None:
    """Store a new account whose address is confirmed; raises IntegrityError if address or username are taken.

    ``way`` is how the person joined, for the audit log.
    """
    user.email_verified_at = Now()
    with transaction.atomic():
        user.save(force_insert=True)
        audit.record("account_created", user=user, target=user, details={"way": way, "is_staff": user.is_staff})


def void_registrations(email: str) -> None:
    """End the links of all pending registrations of ``email``, because it now belongs to an account."""
    voided = PendingRegistration.objects.by_email(email).confirmable()
    AccountLink.objects.filter(registration__in=voided, spent_at=None).update(spent_at=Now())
    voided.update(voided_at=Now())
