"""Who a row is about: address and name, for people and purchases alike."""

from collections.abc import Sequence
from dataclasses import dataclass

from rollcall.people.reading.cells import LONGEST_CELL, clean_cell, says_nothing, shown
from rollcall.people.reading.emails import normalise_email
from rollcall.people.reading.errors import UnreadableValue
from rollcall.people.reading.mapping import Mapping
from rollcall.people.reading.phones import read_local_phone

LONGEST_NAME = 200


class Cells:
    """The cells of one row by what they hold; made once a file and given each row in turn."""

    def __init__(self, header: Sequence[str], mapping: Mapping) -> None:
        places = {label: place for place, label in enumerate(header)}
        self._places = {target: places[label] for target, label in mapping.columns.items()}
        self._labels = mapping.columns
        self.row: list[str] = []

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


def read_contact(cells: Cells, default_country: str, home: str = "") -> Contact:
    """Return who the row is about; raises UnreadableValue.

    A phone without a country code is one of `home`, the person's own country if it is known,
    or of `default_country`. A bad address rejects the row even beside a good one: staff would
    not learn otherwise that a phone is wrong.
    """
    phone, email = _own_or_buyers(cells)
    if not phone and not email:
        raise UnreadableValue("the row has neither a phone nor an e-mail address")
    first_name, last_name = _read_name(cells)
    return Contact(
        read_local_phone(phone, home or default_country, default_country) if phone else None,
        normalise_email(email) if email else None,
        first_name,
        last_name,
    )


def _own_or_buyers(cells: Cells) -> tuple[str, str]:
    """Return the attendee's phone and e-mail, or those of who ordered, but never a mixture.

    In an order for four, the buyer's phone beside the e-mail of a guest would make one
    person of two.
    """
    phone, email = cells.get("phone") or cells.get("other_phone"), cells.get("email")
    buyer_phone, buyer_email = cells.get("buyer_phone"), cells.get("buyer_email")
    if not phone and not email:
        return buyer_phone, buyer_email
    if not phone and email.casefold() == buyer_email.casefold():
        return buyer_phone, email
    return phone, email


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
