"""The contacts of ``manage.py demo``."""

import random
import re
import unicodedata
from collections.abc import Iterator, Sequence
from contextlib import closing

from django.core.files.uploadedfile import TemporaryUploadedFile
from openpyxl import Workbook

from accounts.models import User

from .services import uploads

Row = tuple[str, str, str]

HEADER = ("Name", "Phone Number", "Email Address")
CUSTOMERS = 130
# Country code and the digits after it (0 is any digit), given names, family names.
COUNTRIES = (
    ("+44 20 7946 0", 3, "Ada Alan Grace Imogen Rhys Priya Callum Moira", "Lovelace Turing Whitfield Pryce Nair Doyle"),
    ("+49 30 23125 ", 3, "Jana Lukas Friederike Mehmet Anke Tobias", "Brandt Yılmaz Köhler Weiß Petersen Nowak"),
    ("+33 1 99 00 ", 4, "Camille Bastien Élodie Amadou Noémie Hugo", "Lefèvre Diallo Moreau Garnier Roux Benali"),
    ("+1 202 555 01", 2, "Katherine Dwayne Rosa Emily Marcus Hannah", "Johnson Alvarez Nguyen Okonkwo Fischer Bell"),
    ("+34 900 555 ", 3, "Lucía Iker Montserrat Álvaro Nerea", "Ibáñez Etxeberria Soler Muñoz Castro"),
    ("+46 8 465 004 ", 2, "Saga Elin Björn Astrid Viggo", "Lindqvist Åkesson Nyström Holm"),
    ("+81 3 5550 ", 4, "Haruka Kenji Yuki Sora", "Tanaka Mori Fujimoto Abe"),
    ("+39 06 9480 ", 4, "Chiara Matteo Giulia Davide", "Ferri Conti Marchetti Sala"),
)
FIRMS = ("harbour-books", "nordlicht", "atelier-sud", "greenfield", "two-rivers", "lantern", "papermill", "oldtown")
FAIR: tuple[Row, ...] = (
    ("Ada Lovelace", "+44 20 7946 0001", "ada@contacts.example"),
    ("Grace Hopper", "", "grace@contacts.example"),
    ("Ada Lovelace", "+44 20 7946 0001", "lovelace@contacts.example"),  # the same number again: it has to wait
    ("Karim Benali", "+33 1 99 00 41 07", "karim(at)papermill.example"),  # rejected: not an address
    ("Saga Lindqvist", "", "saga@nordlicht.example"),
    ("Reception, hall 4", "at the desk", "hall4@fair.example"),  # rejected: not a number
    ("Matteo Conti", "+39 06 9480 2214", ""),
    ("Grace Hopper", "", "GRACE@contacts.example"),  # the same address in capitals: it has to wait
    ("Nobody", "", ""),  # rejected: neither a number nor an address
    ("Yuki Mori", "+81 3 5550 7781", "yuki.mori@lantern.example"),
)


def fill(people: Sequence[User]) -> str:
    """Upload two sheets for the first of ``people`` and return a description of them."""
    customers = list(_customers())
    _upload(people[0], "customers.xlsx", customers)
    _upload(people[0], "book fair.xlsx", FAIR)
    return f"two sheets with {len(customers) + len(FAIR)} contacts, two of which wait for three minutes"


def _customers() -> Iterator[Row]:
    """Yield people with numbers and addresses that nobody has; some have only one of the two."""
    chance = random.Random(7)
    used: set[str] = set()
    while len(used) < 2 * CUSTOMERS:
        prefix, digits, given, family = chance.choice(COUNTRIES)
        name = f"{chance.choice(given.split())} {chance.choice(family.split())}"
        phone = prefix + "".join(chance.choices("0123456789", k=digits))
        address = f"{_plain(name)}@{chance.choice(FIRMS)}.example"
        if used & {name, phone}:
            continue
        used |= {name, phone}
        kind = chance.random()
        yield name, "" if kind < 0.15 else phone, "" if kind > 0.9 else address


def _plain(name: str) -> str:
    """Return ``name`` as the first part of an e-mail address."""
    letters = unicodedata.normalize("NFD", name.lower().replace("ß", "ss").replace("ı", "i"))
    return re.sub("[^a-z]+", ".", "".join(char for char in letters if not unicodedata.combining(char))).strip(".")


def _upload(owner: User, name: str, rows: Sequence[Row]) -> None:
    book = Workbook(write_only=True)
    sheet = book.create_sheet()
    for row in (HEADER, *rows):
        sheet.append(row)
    file = TemporaryUploadedFile(name, "application/octet-stream", 0, None)
    book.save(file.temporary_file_path())
    file.seek(0, 2)
    file.size = file.tell()
    file.seek(0)
    with closing(file):
        uploads.create_upload(owner=owner, file=file)
