"""Who a row is about: address and name, for people and purchases alike."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from rollcall.people.reading.cells import LONGEST_CELL, clean_cell, says_nothing, shown
from rollcall.people.reading.emails import normalise_email
from rollcall.people.reading.errors import UnreadableValue
from rollcall.people.reading.mapping import Mapping
from rollcall.people.reading.phones import (
    UNKNOWN,
    find_phone_habit,
    normalise_phone,
    read_local_phone,
    says_country_code,
)
from rollcall.people.reading.places import read_phone_country

LONGEST_NAME = 200
_PHONES = ("phone", "other_phone", "third_phone")
_COUNTRIES = ("phone_country", "country")
# How contact lists label a phone that gets texts, and what is none.
_MOBILE_LABELS = re.compile(
    r"mobil|cell|handy|iphone|portable|gsm|movil|móvil|komork", re.IGNORECASE
)
_NO_PHONE_LABELS = re.compile(r"fax|pager|telex", re.IGNORECASE)


class Cells:
    """The cells of one row by what they hold; made once a file and given each row in turn."""

    def __init__(self, header: Sequence[str], mapping: Mapping) -> None:
        places = {label: place for place, label in enumerate(header)}
        self._places = {target: places[label] for target, label in mapping.columns.items()}
        self._labels = mapping.columns
        self._header = header
        self.row: list[str] = []
        self.habit = UNKNOWN

    def learn_habit(self, sample: Sequence[Sequence[str]], default_country: str) -> None:
        """Note how the file's first rows write phones that have no country beside them."""
        phones = []
        for row in sample:
            self.row = [*row, *[""] * (len(self._header) - len(row))]
            if not any(map(self._peek, _COUNTRIES)):
                phones += filter(None, map(self._peek, (*_PHONES, "buyer_phone")))
        self.habit = find_phone_habit(phones, default_country)

    def _peek(self, target: str) -> str:
        try:
            return self.get(target)
        except UnreadableValue:
            return ""

    def get(self, target: str) -> str:
        """Return the cleaned cell, empty where there is no such column or it says nothing.

        Raises UnreadableValue for a cell that is longer than any that a person fills in.
        """
        place = self._places.get(target)
        if place is None:
            return ""
        if len(self.row[place]) > LONGEST_CELL:
            raise UnreadableValue(
                f"the cell under {shown(self._labels[target])} has {len(self.row[place]):,} "
                f"characters; at most {LONGEST_CELL:,} can be read"
            )
        text = clean_cell(self.row[place])
        return "" if says_nothing(text) else text


@dataclass(frozen=True, slots=True)
class Contact:
    """The addresses and the name in a row; at least one address is there."""

    phone: str | None
    email: str | None
    first_name: str
    last_name: str


def read_contact(cells: Cells, default_country: str) -> Contact:
    """Return who the row is about; raises UnreadableValue.

    A phone without a country code is one of the country beside it if there is one, or of
    `default_country`. A bad address rejects the row even beside a good one: staff would not
    learn otherwise that a phone is wrong.
    """
    phone, email = _own_or_buyers(cells)
    if not phone and not email:
        raise UnreadableValue("the row has neither a phone nor an e-mail address")
    first_name, last_name = _read_name(cells)
    return Contact(
        _read_phone(cells, phone, default_country) if phone else None,
        normalise_email(email) if email else None,
        first_name,
        last_name,
    )


def _read_phone(cells: Cells, phone: str, default_country: str) -> str:
    """Return the phone in E.164, by the country that stands beside it.

    A country that is not known leaves nothing to go by, as the phone is hardly the
    organisation's: only a phone with its country code is read then.
    """
    of_phone, of_person = (cells.get(target) for target in _COUNTRIES)
    beside = of_phone or of_person
    if not beside:
        return normalise_phone(phone, default_country, cells.habit)
    country = read_phone_country(beside, default_country)
    if country is None:
        if says_country_code(phone):
            return normalise_phone(phone, default_country)
        raise UnreadableValue(
            f"the country {shown(beside)} is not known, so that {shown(phone)} can be anywhere; "
            "write it by its name or two letters, or begin the phone with + and the country code"
        )
    return read_local_phone(phone, country, country if of_phone else default_country)


def _own_or_buyers(cells: Cells) -> tuple[str, str]:
    """Return the attendee's phone and e-mail, or those of who ordered, but never a mixture.

    In an order for four, the buyer's phone beside the e-mail of a guest would make one
    person of two.
    """
    phone, email = _first_phone(cells), cells.get("email")
    buyer_phone, buyer_email = cells.get("buyer_phone"), cells.get("buyer_email")
    if not phone and not email:
        return buyer_phone, buyer_email
    if not phone and email.casefold() == buyer_email.casefold():
        return buyer_phone, email
    return phone, email


def _first_phone(cells: Cells) -> str:
    """Return the first phone that is there, one labelled as a mobile before the others."""
    phones = [(cells.get(target), cells.get(f"{target}_label")) for target in _PHONES]
    usable = [
        (phone, label) for phone, label in phones if phone and not _NO_PHONE_LABELS.search(label)
    ]
    mobiles = (phone for phone, label in usable if _MOBILE_LABELS.search(label))
    return next(mobiles, usable[0][0] if usable else "")


def _read_name(cells: Cells) -> tuple[str, str]:
    first, last = cells.get("first_name"), cells.get("last_name")
    if not first and not last:
        first, last = split_name(cells.get("name"))
    for name in (first, last):
        if len(name) > LONGEST_NAME:
            raise UnreadableValue(
                f"the name {shown(name)} is longer than {LONGEST_NAME} characters"
            )
    return first, last


def split_name(name: str) -> tuple[str, str]:
    """Return first and last name: "Lee, Sarah" turned round, else cut at the first space."""
    before, comma, after = name.partition(",")
    if comma and before.strip() and after.strip():
        return after.strip(), before.strip()
    first, _, last = name.strip(" ,").partition(" ")
    return first, last.strip()
