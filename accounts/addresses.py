"""E-mail addresses in the one form in which they are stored and compared."""

import email_validator


def normalised(address: str) -> str:
    """``address`` in ASCII, its domain in lower case; raises ValueError where no mail could be sent to it.

    Only ASCII, because there are letters beyond it that become ASCII ones in lower case: two people could then have
    what a mail server takes for one address.
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


def comparable(address: str) -> str:
    """``address`` as it is looked up: two that differ in case are one. Whatever is no address finds nobody."""
    try:
        return normalised(address).lower()
    except ValueError:
        return address.strip().lower()
