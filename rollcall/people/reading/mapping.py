"""Which column is what: proposed from the header and the first rows, corrected by staff."""

from collections.abc import Callable, Sequence
from collections.abc import Mapping as Map
from dataclasses import dataclass, field, replace
from typing import Any

from rollcall.people.reading.cells import clean_cell, says_nothing
from rollcall.people.reading.columns import TARGETS, heading_key
from rollcall.people.reading.emails import looks_like_email
from rollcall.people.reading.phone_columns import is_column_of_phones
from rollcall.people.reading.phones import looks_like_phone
from rollcall.people.reading.statuses import is_standing
from rollcall.people.reading.times import guess_day_first

_ATTENDEES_OWN = ("attendee", "participant", "ticket", "guest", "teilnehmer")
_PHONES = ("phone", "other_phone", "third_phone")
# Headings of phones that stand above "yes" and "no" as well.
_PHONES_OR_ANSWERS = ("sms", "whatsapp", "mobile", "mobil", "cell", "handy", "portable", "gsm")
_COUNTRY_CODES = ("country code", "countrycode")
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
    _settle_phones(header, sample, columns)
    _settle_country(columns)
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


def _settle_phones(
    header: Sequence[str], sample: Sequence[Sequence[str]], columns: dict[str, str]
) -> None:
    """Leave out columns of answers, and find what the labels beside phones are called.

    Google's contacts have "Phone 1 - Label" beside "Phone 1 - Value".
    """
    labels = [columns.pop(target) for target in _PHONES if target in columns]
    phones = [label for label in labels if not _holds_answers(header, sample, label)]
    columns |= dict(zip(_PHONES, phones, strict=False))
    by_key = {heading_key(label): label for label in header}
    for target, label in zip(_PHONES, phones, strict=False):
        key = heading_key(label)
        for word in ("label", "type"):
            beside = by_key.get(f"{key.removesuffix(' value')} {word}")
            if beside:
                columns.setdefault(f"{target}_label", beside)


def _holds_answers(header: Sequence[str], sample: Sequence[Sequence[str]], label: str) -> bool:
    if heading_key(label) not in _PHONES_OR_ANSWERS:
        return False
    values = _values(header, sample, label)
    return bool(values) and not any(map(looks_like_phone, values))


def _settle_country(columns: dict[str, str]) -> None:
    """A country code that stands alone is that of the person as well as of the phone."""
    stands_alone = "country" not in columns
    if stands_alone and heading_key(columns.get("phone_country", "")) in _COUNTRY_CODES:
        columns["country"] = columns.pop("phone_country")


def _settle_buyer(header: Sequence[str], columns: dict[str, str]) -> None:
    """Where attendees have an address of their own, plain "Email" and "Phone" are the buyer's.

    pretix and Tito write one row a ticket, with the order's address beside the attendee's.
    """
    if _is_attendees_own(columns.get("email")):
        free = {heading_key(label): label for label in header if label not in columns.values()}
        for plain in ("email", "e mail", "email address"):
            if plain in free:
                columns.setdefault("buyer_email", free[plain])
    phones = [target for target in _PHONES if target in columns]
    own = [target for target in phones if _is_attendees_own(columns[target])]
    if not own and not (_is_attendees_own(columns.get("email")) and "buyer_email" in columns):
        return
    for target in phones:
        if target not in own:
            columns.pop(f"{target}_label", None)
            columns.setdefault("buyer_phone", columns.pop(target))


def _is_attendees_own(label: str | None) -> bool:
    return heading_key(label or "").startswith(_ATTENDEES_OWN)


def _by_content(
    header: Sequence[str],
    sample: Sequence[Sequence[str]],
    columns: dict[str, str],
    country: str,
) -> None:
    """Find a phone and an e-mail column under headings that nobody knows, or under none."""

    if not {"email", "buyer_email"} & set(columns):
        _take_first(
            header, sample, columns, "email", lambda _, values: _mostly(looks_like_email, values)
        )

    def holds_phones(label: str, values: list[str]) -> bool:
        heading = None if label == f"Column {list(header).index(label) + 1}" else label
        alone = not {"email", "buyer_email"} & set(columns)
        return is_column_of_phones(heading, values, country, is_only_address=alone)

    if not {*_PHONES, "buyer_phone"} & set(columns):
        _take_first(header, sample, columns, "phone", holds_phones)
    named = {"name", "first_name", "last_name"} & set(columns)
    others = [label for label in header if label not in columns.values()]
    if not named and len(others) == 1 and others[0].startswith("Column "):
        columns["name"] = others[0]


def _take_first(
    header: Sequence[str],
    sample: Sequence[Sequence[str]],
    columns: dict[str, str],
    target: str,
    fits: Callable[[str, list[str]], bool],
) -> None:
    """Give the target the first free column with values that fit."""
    for label in header:
        values = _values(header, sample, label)
        if label not in columns.values() and values and fits(label, values):
            columns[target] = label
            return


def _values(header: Sequence[str], sample: Sequence[Sequence[str]], label: str) -> list[str]:
    place = list(header).index(label)
    cells = (clean_cell(row[place]) for row in sample if place < len(row))
    return [cell for cell in cells if not says_nothing(cell)]


def _mostly(fits: Callable[[str], bool], values: Sequence[str]) -> bool:
    return sum(map(fits, values)) >= _ENOUGH * len(values)
