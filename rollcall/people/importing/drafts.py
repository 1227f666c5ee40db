"""A person as a file would have them: what is known already, and what its rows say."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from rollcall.people.identity import city_values, name_values, person_values
from rollcall.people.reading.people import PersonRow
from rollcall.text import fold

FIELDS = ("phone", "email", "first_name", "last_name", "city", "country", "timezone")
_PLACE = ("city", "country", "timezone")


@dataclass(slots=True)
class Draft:
    """The values of one person; `changed` names those that differ from what is stored."""

    values: dict[str, Any]
    changed: set[str] = field(default_factory=set)

    def take(self, row: PersonRow, may_replace: bool) -> bool:
        """Take over what the row says and return whether that changed anything.

        An empty value never replaces a known one, and a known address is never replaced.
        Other known values are replaced by the first row that a file has about a person
        (`may_replace`), and by none after it: otherwise a person with two tickets under two
        names would change at every import of the same file.
        """
        before = dict(self.values)
        for name in ("phone", "email"):
            if not self.values[name]:
                self._set(name, getattr(row.contact, name))
        self._take_name(row.contact.first_name, row.contact.last_name, may_replace)
        for name in _PLACE:
            if may_replace or not self.values[name]:
                self._set(name, getattr(row, name))
        return self.values != before

    def _take_name(self, first: str, last: str, may_replace: bool) -> None:
        known = f"{self.values['first_name']} {self.values['last_name']}"
        if fold(f"{first} {last}") == fold(known):
            return  # the same name, perhaps cut at another place
        if first and last and may_replace:
            self._set("first_name", first)
            self._set("last_name", last)
        elif not self._clashes("first_name", first) and not self._clashes("last_name", last):
            self._set("first_name", self.values["first_name"] or first)
            self._set("last_name", self.values["last_name"] or last)

    def _clashes(self, name: str, text: str) -> bool:
        known = self.values[name]
        return bool(known and text) and fold(known) != fold(text)

    def _set(self, name: str, value: str | None) -> None:
        if value and value != self.values[name]:
            self.values[name] = value
            self.changed.add(name)

    def for_insert(self, organisation_id: int, now: datetime) -> dict[str, Any]:
        """Return the columns of somebody new."""
        return person_values(organisation_id, now, **self.values)

    def for_update(self) -> dict[str, Any]:
        """Return every column that an import may change, with the keys that follow from them."""
        return {
            **self.values,
            **name_values(self.values["first_name"], self.values["last_name"]),
            **city_values(self.values["city"]),
        }


def empty_draft() -> Draft:
    """Return the draft of somebody of whom nothing is known."""
    return Draft({name: None if name in ("phone", "email") else "" for name in FIELDS})
