"""Which column is what: proposed from the header and the first rows, corrected by staff."""

from collections.abc import Callable, Sequence
from collections.abc import Mapping as Map
from dataclasses import dataclass, field, replace
from typing import Any

from rollcall.people.reading.cells import clean_cell, says_nothing
from rollcall.people.reading.columns import TARGETS, heading_key
from rollcall.people.reading.emails import looks_like_email
from rollcall.people.reading.errors import UnreadableValue
from rollcall.people.reading.phones import looks_like_phone, normalise_phone
from rollcall.people.reading.statuses import is_standing
from rollcall.people.reading.times import guess_day_first

_ATTENDEES_OWN = ("attendee", "participant", "ticket", "guest", "teilnehmer")
_FIRST_NAME_BESIDE_NAME = ("vorname", "prenom", "nombre")
_MOMENTS = ("registered_at", "checked_in", "purchased_at")
_ENOUGH = 0.6  # of the filled samples must fit before a column is recognised by its content


@dataclass(frozen=True, slots=True)
class Mapping:
    """For each target (a key of `columns.TARGETS[kind]`) the label of the column that holds it.

    `day_first` says how dates in figures are read: 03/04/2026 is 3 April if true.
    """

    kind: str = "people"
    columns: Map[str, str] = field(default_factory=dict)
    day_first: bool = False

    def corrected(self, columns: Map[str, str]) -> "Mapping":
        """Return the mapping with these targets set; an empty label leaves a target out.

        A column that is given a new meaning loses the one it had.
        """
        taken = {label for label in columns.values() if label}
        kept = {t: label for t, label in self.columns.items() if label not in taken}
        merged = {**kept, **columns}
        return replace(self, columns={t: label for t, label in merged.items() if label})

    def errors(self, header: Sequence[str]) -> dict[str, str]:
        """Return what is wrong with the mapping for this header, by target; empty if nothing."""
        known = {target.key: target.label for target in TARGETS[self.kind]}
        wrong = {
            t: f"“{t}” is not one of {', '.join(known)}" for t in self.columns if t not in known
        }
        wrong |= {
            t: f"the file has no column “{label}”; it has {', '.join(header)}"
            for t, label in self.columns.items()
            if label not in header
        }
        if not wrong and not {"phone", "email", "buyer_phone", "buyer_email"} & set(self.columns):
            wrong["phone"] = "say which column holds the phone or the e-mail address"
        needed = ("amount", "purchased_at") if self.kind == "purchases" else ()
        missing = {t: "say which column holds it" for t in needed if t not in self.columns}
        return wrong or missing

    def to_json(self) -> dict[str, Any]:
        """Return the mapping as plain data, to be remembered."""
        return {"columns": dict(self.columns), "day_first": self.day_first}

    @classmethod
    def from_json(cls, kind: str, data: Map[str, Any]) -> "Mapping":
        """Return the mapping that was remembered."""
        return cls(kind, dict(data["columns"]), bool(data.get("day_first")))


def propose_mapping(
    header: Sequence[str], sample: Sequence[Sequence[str]], kind: str, country: str
) -> Mapping:
    """Return what each column most likely is, by its heading, else by what stands in it."""
    columns = _by_heading(header, kind)
    _settle_surname(columns)
    _settle_buyer(header, columns)
    if "status" in columns and not _mostly(is_standing, _values(header, sample, columns["status"])):
        del columns["status"]
    _by_content(header, sample, columns, country)
    dates = [
        value for t in _MOMENTS if t in columns for value in _values(header, sample, columns[t])
    ]
    return Mapping(kind, columns, guess_day_first(dates, country))


def _by_heading(header: Sequence[str], kind: str) -> dict[str, str]:
    """Give each target, in their order, the best of its headings that is still free."""
    labels: dict[str, str] = {}
    for label in header:
        labels.setdefault(heading_key(label), label)
    columns: dict[str, str] = {}
    for target in TARGETS[kind]:
        for heading in target.headings:
            label = labels.get(heading)
            if label is not None and label not in columns.values():
                columns[target.key] = label
                break
    return columns


def _settle_surname(columns: dict[str, str]) -> None:
    """Beside "Vorname", the heading "Name" means the family name."""
    first = heading_key(columns.get("first_name", ""))
    if first in _FIRST_NAME_BESIDE_NAME and "last_name" not in columns and "name" in columns:
        columns["last_name"] = columns.pop("name")


def _settle_buyer(header: Sequence[str], columns: dict[str, str]) -> None:
    """Where attendees have an e-mail of their own, plain "Email" and "Phone" are the buyer's.

    pretix and Tito write one row a ticket, with the order's address beside the attendee's.
    """
    if not heading_key(columns.get("email", "")).startswith(_ATTENDEES_OWN):
        return
    free = {heading_key(label): label for label in header if label not in columns.values()}
    for plain in ("email", "e mail", "email address"):
        if plain in free:
            columns.setdefault("buyer_email", free[plain])
    phone = columns.get("phone")
    if phone and "buyer_email" in columns and not heading_key(phone).startswith(_ATTENDEES_OWN):
        columns["buyer_phone"] = columns.pop("phone")


def _by_content(
    header: Sequence[str],
    sample: Sequence[Sequence[str]],
    columns: dict[str, str],
    country: str,
) -> None:
    """Find a phone and an e-mail column under headings that nobody knows, or under none."""

    def is_phone(text: str) -> bool:
        try:
            return bool(normalise_phone(text, country))
        except UnreadableValue:
            return "E+" in text.upper() and looks_like_phone(text)

    for target, fits in (("email", looks_like_email), ("phone", is_phone)):
        if target in columns or f"buyer_{target}" in columns:
            continue
        for label in header:
            values = _values(header, sample, label)
            if label not in columns.values() and values and _mostly(fits, values):
                columns[target] = label
                break
    named = {"name", "first_name", "last_name"} & set(columns)
    others = [label for label in header if label not in columns.values()]
    if not named and len(others) == 1 and others[0].startswith("Column "):
        columns["name"] = others[0]


def _values(header: Sequence[str], sample: Sequence[Sequence[str]], label: str) -> list[str]:
    place = list(header).index(label)
    cells = (clean_cell(row[place]) for row in sample if place < len(row))
    return [cell for cell in cells if not says_nothing(cell)]


def _mostly(fits: Callable[[str], bool], values: Sequence[str]) -> bool:
    return sum(map(fits, values)) >= _ENOUGH * len(values)
