"""What the words of ticketing tools say about a registration (A7)."""

import enum
from functools import lru_cache

from rollcall.people.reading.cells import clean_cell, shown
from rollcall.people.reading.errors import UnreadableValue


class AttendanceStatus(enum.StrEnum):
    """How a row stands towards the event."""

    ATTENDING = "attending"
    CHECKED_IN = "checked_in"  # attending, and was seen at the door
    CANCELLED = "cancelled"
    REFUNDED = "refunded"
    NONE = "none"  # known, but neither registered nor ever was: invited, waiting, unpaid
    UNSUBSCRIBED = "unsubscribed"  # of a mailing list: opted out of its e-mails
    CLEANED = "cleaned"  # of a mailing list: the address bounced for good


# Eventbrite: "Attending", "Checked In", "Not Attending", "Deleted", "Transferred", "Unpaid".
# pretix: "paid", "pending", "expired", "canceled", and the same in German and French.
# Luma: "approved", "pending_approval", "invited", "waitlist", "declined".
# Mailchimp: "subscribed", "unsubscribed", "cleaned", "non-subscribed".
_WORDS: dict[AttendanceStatus, str] = {
    AttendanceStatus.ATTENDING: """
        attending; attendee; registered; approved; going; yes; confirmed; complete; completed; paid;
        active; valid; accepted; booked; free; issued; subscribed; ok; placed; success; succeeded;
        bezahlt; angemeldet; bestätigt; gültig; ja; payé; payée; payee; inscrit; inscrite; confirmé;
        confirmée; validé; oui; partially refunded; paid (manual); comp; complimentary""",
    AttendanceStatus.CHECKED_IN: """
        checked in; attended; scanned; present; arrived; eingecheckt; anwesend; présent; présente;
        used; redeemed""",
    AttendanceStatus.CANCELLED: """
        cancelled; canceled; not attending; not going; declined; deleted; transferred; expired; no;
        void; voided; rejected; withdrawn; removed; inactive; failed; abandoned; invalid;
        storniert; abgesagt; abgelaufen; abgemeldet; nein; annulé; annulée; expiré; expirée; refusé;
        non; cancelled by organizer; cancelled by organiser; canceled (paid fee)""",
    AttendanceStatus.REFUNDED: """
        refunded; refund; refunded/canceled; refunded/cancelled; fully refunded; charged back;
        chargeback; erstattet; zurückerstattet; remboursé; remboursée""",
    AttendanceStatus.NONE: """
        pending; pending approval; waitlist; waitlisted; waiting; waiting list; invited; unpaid;
        offline pending; maybe; interested; not registered; draft; incomplete; reserved;
        pending (overdue); overdue; approval pending; non-subscribed; nonsubscribed; transactional;
        ausstehend; offen; eingeladen; warteliste; en attente; invité; invitée; liste d'attente""",
    AttendanceStatus.UNSUBSCRIBED: """
        unsubscribed; opted out; opt-out; abgemeldet (newsletter); désabonné""",
    AttendanceStatus.CLEANED: "cleaned; bounced; hard bounced",
}  # fmt: skip

_STATUS_OF = {
    " ".join(word.split()): status for status, words in _WORDS.items() for word in words.split(";")
}


@lru_cache(maxsize=256)
def read_status(text: str) -> AttendanceStatus:
    """Return what a status word says; an empty cell is a plain registration.

    Raises UnreadableValue for a word that is not known: to guess would be to message people
    who cancelled, or to leave out people who come.
    """
    word = " ".join(clean_cell(text).casefold().replace("_", " ").split())
    if not word:
        return AttendanceStatus.ATTENDING
    standing = _STATUS_OF.get(word)
    if standing is None:
        raise UnreadableValue(
            f"the status {shown(text.strip())} is not known; use registered, cancelled, refunded, "
            "checked in or invited, or leave the status column out"
        )
    return standing


def is_standing(text: str) -> bool:
    """Return whether a cell holds a status word that is known."""
    try:
        read_status(text)
    except UnreadableValue:
        return False
    return True
