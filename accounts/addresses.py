"""E-mail addresses in the one form in which they are stored and looked up."""

import email_validator


def normalize_address(address: str) -> str:
    """Return ``address`` in ASCII with its domain in lower case; raises ValueError for an invalid address.

    Only ASCII is accepted: some other letters become ASCII in lower case, so two users could have addresses that a
    mail server takes for the same one.
    """
    try:
        parsed = email_validator.validate_email(
            address.strip(),
            allow_smtputf8=False,
            check_deliverability=False,
            globally_deliverable=False,
            test_environment=True,
        )
    except email_validator.EmailNotValidError as error:
        raise ValueError(str(error)) from error
    if parsed.ascii_email is None or len(parsed.ascii_email) > 254:
        raise ValueError("The address is too long.")
    return parsed.ascii_email


def lookup_key(address: str) -> str:
    """Return the key under which ``address`` is looked up, equal for all spellings; an invalid one matches nobody."""
    try:
        return normalize_address(address).lower()
    except ValueError:
        return address.strip().lower()
