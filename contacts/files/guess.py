"""Guesses which columns contain the name, the phone number and the e-mail address.

The titles are English ones, and those of the exports of Google Contacts, Outlook, Apple, HubSpot and Twenty.
"""

from collections.abc import Iterable

# Keys of titles (letters and digits, lower case) for each field, the best first.
_TITLES = {
    "name": (
        "name fullname displayname contactname contact customername person personname firstname namefirstname "
        "givenname first lastname namelastname surname familyname last"
    ),
    "phone_number": (
        "phonenumber phone mobilephone mobilephonenumber mobilenumber mobile cellphone cellphonenumber cell "
        "phone1value phonesprimaryphonenumber primaryphonenumber primaryphone telephonenumber telephone tel "
        "contactnumber mainphone phone1 iphone homephone homephonenumber businessphone workphone workphonenumber "
        "companymainphone otherphone phone2value whatsappphonenumber whatsapp"
    ),
    "email_address": (
        "emailaddress email mail email1value emailsprimaryemail primaryemail primaryemailaddress email1 "
        "email1address workemail homeemail personalemail businessemail emailhome emailwork otheremail email2value "
        "email2address"
    ),
}
_KEYS = {field: text.split() for field, text in _TITLES.items()}
_LAST_NAMES = {"lastname", "namelastname", "familyname", "surname", "last"}

KNOWN = frozenset(key for keys in _KEYS.values() for key in keys)


def letters_of(title: str) -> str:
    """Return the letters and digits of ``title`` in lower case: ``E-mail 1 - Value`` is ``email1value``."""
    return "".join(char for char in title.casefold() if char.isalnum())


def guess_mapping(titles: Iterable[str]) -> dict[str, str]:
    """Return the most likely column for each field. Fields without one are absent, as are titles that occur twice."""
    found: dict[str, list[str]] = {}
    for title in titles:
        found.setdefault(letters_of(title), []).append(title)
    mapping = {}
    for field, keys in _KEYS.items():
        key = next((key for key in keys if len(found.get(key, ())) == 1), None)
        if key is not None:
            mapping[field] = found[key][0]
    return mapping


def last_name(titles: Iterable[str], guess: str) -> str:
    """Return the column of the last names if ``guess`` contains only the first names, otherwise an empty text."""
    if not letters_of(guess).startswith(("first", "namefirst", "given")):
        return ""
    return next((title for title in titles if letters_of(title) in _LAST_NAMES), "")
