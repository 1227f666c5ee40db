"""What brought somebody onto a list, or took them off it, as a clause with what shows it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from rollcall.audience.criteria import Criteria
from rollcall.audience.criteria.attendance import say_share
from rollcall.audience.criteria.criterion import Attends
from rollcall.audience.criteria.table import attended_by
from rollcall.explanations.attendance import (
    Presence,
    attendances_at,
    counted_events,
    say_attendance,
    say_cancellation,
)
from rollcall.explanations.causes import (
    CANCELLED_THEN,
    LEFT_REASONS,
    NOT_MET,
    RESTORED,
    UNKNOWN,
    is_guessed,
    say_cause,
)
from rollcall.explanations.context import Context
from rollcall.explanations.evidence import find_audited, find_consents
from rollcall.explanations.unmet import NOTHING_KEPT
from rollcall.explanations.verdicts import Evidence
from rollcall.models import Channel

_BY_REASON = {reason.key for reason in LEFT_REASONS}
_ATTENDING = ("attended", "registered", RESTORED, "cancelled")


@dataclass(frozen=True)
class ListChange:
    """Why somebody joined or left, as a clause without a subject."""

    text: str
    evidence: Evidence | None = None


def say_moves(context: Context, causes: Mapping[int, str]) -> dict[int, ListChange]:
    """Return for each person what their cause means for them; a few queries for all of them.

    Causes that are a reason of the funnel are not said here: their evidence is looked up by it.
    """
    found: dict[int, ListChange] = {}
    for find in (_find_attending, _find_unblocked, _find_opted_in):
        found |= find(context, causes)
    for person_id, cause in causes.items():
        if person_id not in found and cause not in _BY_REASON:
            found[person_id] = ListChange(_say_cause(context, cause))
    return found


def _find_attending(context: Context, causes: Mapping[int, str]) -> dict[int, ListChange]:
    people = [person_id for person_id, cause in causes.items() if cause in _ATTENDING]
    records = attendances_at(context, people, _asked_events(context))
    found = {}
    for person_id, rows in records.items():
        shown = _choose(context, causes[person_id], rows)
        if shown is None:
            continue
        if causes[person_id] == "cancelled":
            text = say_cancellation(context, shown)
            found[person_id] = ListChange(text, shown.cancellation(text))
        elif causes[person_id] == RESTORED:
            found[person_id] = ListChange(f"probably came back to {shown.event} after cancelling")
        else:
            text = _say_arrival(context, shown, rows)
            found[person_id] = ListChange(text, shown.arrival(text))
    return found


def _say_arrival(context: Context, shown: Presence, records: Sequence[Presence]) -> str:
    """Return how the person came, and where the list was frozen from what had been taken before."""
    text, side = say_attendance(context, shown), context.frozen_side
    frozen_at, several = context.campaign.frozen_at, _asking_for_several(context)
    if several is not None:
        criteria, attends = several
        counted = counted_events(criteria, attends, records, context.campaign.final_at)
        text += f", and so came to {say_share(len(counted), attends.slugs(criteria))}"
    if side is None or frozen_at is None or shown.recorded_at > frozen_at:
        return text
    return f"{text}, after the snapshot of {context.say(side.moment)} that it was frozen from"


def _asked_events(context: Context) -> Sequence[str]:
    """Return the events that the criteria or their segment ask for."""
    return list(dict.fromkeys(slug for one in context.all_criteria for slug in one.events))


def _asking_for_several(context: Context) -> tuple[Criteria, Attends] | None:
    """Return the criteria that ask for more than one event of each person, and how."""
    asked = [(criteria, attended_by(criteria)) for criteria in context.all_criteria]
    return next(
        ((one, attends) for one, attends in asked if attends and attends.needed(one) > 1), None
    )


def _choose(context: Context, cause: str, records: Sequence[Presence]) -> Presence | None:
    """Return the attendance that shows the cause: the one that is new, or that was cancelled."""
    frozen_at, final_at = context.campaign.frozen_at, context.campaign.final_at
    if frozen_at is None or final_at is None:
        return None
    standing = [one for one in records if one.counted_at(final_at)]
    several = _asking_for_several(context)
    if cause == "cancelled":
        kept = counted_events(*several, records, final_at) if several else set()
        left = [one for one in records if one.slug not in kept]
        gone = [one for one in left if one.cancelled_at and one.cancelled_at <= final_at]
        return max(gone, key=lambda one: one.cancelled_at or one.recorded_at, default=None)
    if cause == RESTORED:
        # To which of several nobody can tell.
        return standing[0] if len({one.slug for one in standing}) == 1 else None
    side = context.frozen_side
    # A list that was frozen from an earlier snapshot knows nobody who came after that.
    since = min(frozen_at, side.moment) if side is not None else frozen_at
    key = {"attended": "qr_scan", "registered": "registration"}[cause]
    taken = counted_events(*several, records, since) if several else set()
    standing = [one for one in standing if one.slug not in taken]
    new = [one for one in standing if one.recorded_at > since and one.source.key == key]
    return new[0] if new else None


def _find_unblocked(context: Context, causes: Mapping[int, str]) -> dict[int, ListChange]:
    people = [person_id for person_id, cause in causes.items() if cause == "unblocked"]
    found = {}
    for row in find_audited(context, people, ("person.unblock",)):
        if _is_between_lists(context, row.at):
            text = f"was unblocked on {context.say(row.at)}"
            found[int(row.object_id)] = ListChange(text, Evidence("block", text, row.at))
    return found


def _find_opted_in(context: Context, causes: Mapping[int, str]) -> dict[int, ListChange]:
    people = [person_id for person_id, cause in causes.items() if cause == "opted_in"]
    found = {}
    for row in find_consents(context, people):
        if not row.opted_out and _is_between_lists(context, row.at):
            text = f"opted in again on {context.say(row.at)} ({row.source})"
            evidence = Evidence("consent", text, row.at, {"source": row.source})
            found[row.person_id] = ListChange(text, evidence)
    return found


def _is_between_lists(context: Context, moment: datetime) -> bool:
    frozen_at, final_at = context.campaign.frozen_at, context.campaign.final_at
    return frozen_at is not None and final_at is not None and frozen_at < moment <= final_at


def _say_cause(context: Context, cause: str) -> str:
    address = "e-mail address" if context.channel == Channel.EMAIL else "phone number"
    article = "an" if context.channel == Channel.EMAIL else "a"
    plain = {
        "attended": "scanned a QR code since",
        "registered": "registered since",
        RESTORED: "probably came back after cancelling",
        CANCELLED_THEN: "had probably cancelled then, and came back later",
        "cancelled": "no longer attended",
        "address_added": f"got {article} {address} since",
        "address_mended": f"got a valid {address} since",
        "unblocked": "was no longer blocked",
        "opted_in": "was no longer opted out",
        "window_passed": f"no longer had a message within the window of {context.hours} h",
        "no_longer_duplicate": f"no longer shared {article} {address} with somebody listed",
        "no_longer_excluded": "was no longer excluded",
        UNKNOWN: NOTHING_KEPT,
        NOT_MET: "no longer matched the criteria",
    }
    if cause in plain:
        return plain[cause]
    if cause in ("segment_changed", "segment_perhaps_changed", "entered_segment", "left_segment"):
        return _say_segment(context, cause)
    if is_guessed(cause):
        return f"{say_cause(cause, 1)}, which keeps no history"
    return say_cause(cause, 1)


def _say_segment(context: Context, cause: str) -> str:
    choice = context.criteria.segment if context.criteria else None
    name = context.names.segment(choice) if choice else "the segment"
    before, now = context.frozen_side, context.final_side
    if "changed" in cause and before is not None and now is not None:
        probably = "probably since " if is_guessed(cause) else ""
        return (
            f"{probably}the segment {name} was at version {now.version} by then, "
            f"and the list was frozen from version {before.version}"
        )
    return f"{'came into' if cause == 'entered_segment' else 'left'} the segment {name}"
