"""Takes rows of purchases into the database, a batch a transaction."""

import hashlib
from collections import Counter
from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa

from rollcall.extensions import db
from rollcall.models import Event, Purchase
from rollcall.models.types import IdList, IsOneOf
from rollcall.people.identity import load_known_people, lock_people
from rollcall.people.importing.runs import RowCounts
from rollcall.people.reading.people import Rejection
from rollcall.people.reading.purchases import PurchaseRow

_COMPARED = ("person_id", "event_id", "amount", "currency", "purchased_at")
_AT_ONCE = 1_000


class PurchaseIntake:
    """Takes in one file's purchases for one organisation.

    Where the file has no references, one is made of who, when and how much, and a number
    for the second such purchase and further ones: about 100 bytes a row are kept for that.
    """

    def __init__(self, organisation_id: int) -> None:
        self._organisation_id = organisation_id
        self._events = {
            row.slug: row.id
            for row in db.session.execute(
                sa.select(Event.id, Event.slug).where(Event.organisation_id == organisation_id)
            )
        }
        self._alike: Counter[int] = Counter()

    def take_in(self, rows: Sequence[PurchaseRow]) -> RowCounts:
        """Store a batch inside the caller's transaction and return what became of its rows.

        People must be known already. A purchase that is not paid takes back the one with its
        reference. An event that is not known leaves the purchase without one.
        """
        tally = RowCounts()
        lock_people(self._organisation_id)
        known = load_known_people(self._organisation_id, [row.contact for row in rows])
        wanted: dict[str, dict[str, Any] | None] = {}
        counted: list[str] = []
        for row in rows:
            person_id = known.match(row.contact) or known.holder(row.contact)
            if person_id is None:
                tally.rejected.append(Rejection(row.line, _say_unknown(row), row.raw))
                continue
            reference = row.reference or self._make_reference(row)
            wanted[reference] = self._values(row, person_id, reference) if row.paid else None
            counted.append(reference)
        added, updated = self._store(wanted)
        for reference in counted:
            tally.added += reference in added
            tally.updated += reference in updated
            tally.unchanged += reference not in added and reference not in updated
            added.discard(reference)
            updated.discard(reference)
        return tally

    def _values(self, row: PurchaseRow, person_id: int, reference: str) -> dict[str, Any]:
        return {
            "organisation_id": self._organisation_id,
            "person_id": person_id,
            "event_id": self._events.get(row.event),
            "reference": reference,
            "amount": row.amount,
            "currency": row.currency,
            "purchased_at": row.purchased_at,
        }

    def _make_reference(self, row: PurchaseRow) -> str:
        contact = row.contact
        text = f"{contact.phone}|{contact.email}|{row.purchased_at.isoformat()}|{row.amount}"
        digest = hashlib.sha256(f"{text}|{row.currency}|{row.event}".encode()).digest()
        alike = int.from_bytes(digest[:8])
        self._alike[alike] += 1
        return f"import-{digest.hex()[:24]}-{self._alike[alike]}"

    def _store(self, wanted: dict[str, dict[str, Any] | None]) -> tuple[set[str], set[str]]:
        """Add, change and take back purchases; return the references added and changed."""
        stored = self._stored(list(wanted))
        new = [row for reference, row in wanted.items() if row and reference not in stored]
        if new:
            db.session.execute(sa.insert(Purchase), new)
        updated: set[str] = set()
        taken_back: list[int] = []
        for reference, old in stored.items():
            row = wanted[reference]
            if row is None:
                taken_back.append(old.id)
                updated.add(reference)
            elif any(getattr(old, name) != row[name] for name in _COMPARED):
                _update(old.id, row)
                updated.add(reference)
        if taken_back:
            db.session.execute(
                sa.delete(Purchase).where(IsOneOf(Purchase.id, sa.literal(taken_back, IdList)))
            )
        return {row["reference"] for row in new}, updated

    def _stored(self, references: list[str]) -> dict[str, Any]:
        columns = [getattr(Purchase, name) for name in _COMPARED]
        found: dict[str, Any] = {}
        for start in range(0, len(references), _AT_ONCE):
            query = sa.select(Purchase.id, Purchase.reference, *columns).where(
                Purchase.organisation_id == self._organisation_id,
                Purchase.reference.in_(references[start : start + _AT_ONCE]),
            )
            found |= {row.reference: row for row in db.session.execute(query)}
        return found


def _update(purchase_id: int, row: dict[str, Any]) -> None:
    db.session.execute(
        sa.update(Purchase)
        .where(Purchase.id == purchase_id)
        .values({name: row[name] for name in _COMPARED})
        .execution_options(synchronize_session=False)
    )


def _say_unknown(row: PurchaseRow) -> str:
    addresses = [address for address in (row.contact.phone, row.contact.email) if address]
    return f"nobody here has {' or '.join(addresses)}; import this person first"
