"""Campaigns that want the same people: who loses whom, and which order loses fewest.

Pure: times, windows and groups of people in, numbers out. Whoever had a message within a
campaign's anti-spam window before its time is held back by it, whichever channel that message
went by. Nothing is estimated: people who are on the same lists and had their last message at the
same time fare alike, so that a group of them is followed through the campaigns as one person is.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import permutations

# So many campaigns can be sent in 720 orders; one more would be seven times as many.
MOST_CAMPAIGNS = 6


@dataclass(frozen=True)
class Planned:
    """A campaign that is going to be sent, as far as its people and times go.

    One that is not `movable` is being sent already. Nothing of it goes out after `not_after`.
    """

    id: int
    name: str
    at: datetime
    window: timedelta
    movable: bool = True
    not_after: datetime | None = None


@dataclass(frozen=True)
class PeopleAlike:
    """So many people on the same lists, whose last message went at the same time.

    `lists` has a bit for each campaign, by its place; `messaged_at` is None for no message.
    """

    lists: int
    messaged_at: datetime | None
    people: int


@dataclass(frozen=True)
class Loss:
    """People whom one campaign does not reach because of another one, by their places.

    `winner` is None for a message that they have had before all of these campaigns.
    """

    loser: int
    winner: int | None


@dataclass(frozen=True)
class Order:
    """The campaigns by their places in the order of sending, and how many messages that loses."""

    places: tuple[int, ...]
    lost: int


def wants_the_same(one: Planned, other: Planned) -> bool:
    """Return whether either would find the other's message recent, whichever goes first."""
    return abs(one.at - other.at) < max(one.window, other.window)


def follow_people(
    campaigns: Sequence[Planned], groups: Iterable[PeopleAlike]
) -> dict[Loss, list[PeopleAlike]]:
    """Return who is lost to whom where each campaign goes out at its own time."""
    sequence = sorted(range(len(campaigns)), key=lambda place: _turn(campaigns[place]))
    found: dict[Loss, list[PeopleAlike]] = {}
    for group in groups:
        last, winner = group.messaged_at, None
        for place in sequence:
            campaign = campaigns[place]
            if not group.lists >> place & 1:
                continue
            if _is_recent(last, campaign.at, campaign.window):
                found.setdefault(Loss(place, winner), []).append(group)
            else:
                last, winner = campaign.at, place
    return found


def count_losses(found: dict[Loss, list[PeopleAlike]]) -> Counter[Loss]:
    """Return how many people are lost to whom."""
    return Counter({loss: sum(group.people for group in some) for loss, some in found.items()})


def find_best_order(
    campaigns: Sequence[Planned], groups: Sequence[PeopleAlike]
) -> tuple[Order, Order]:
    """Return today's order, and the one over the same times that loses the fewest messages.

    Of orders that lose equally many, today's comes first. A campaign that is being sent stays
    where it is, and one with a last time for sending is put at none beyond it.
    """
    sequence = sorted(range(len(campaigns)), key=lambda place: _turn(campaigns[place]))
    movable = [place for place in sequence if campaigns[place].movable]
    times = [campaigns[place].at for place in movable]
    fixed = [(place, campaigns[place].at) for place in sequence if not campaigns[place].movable]
    weights = _merge(groups)
    today = best = None
    for places in permutations(movable):
        if today is not None and not _is_possible(campaigns, places, times):
            continue
        turns = fixed + list(zip(places, times, strict=True))
        order = Order(places, _count_lost(campaigns, turns, weights))
        today = today or order
        if best is None or order.lost < best.lost:
            best = order
        if best.lost == 0:
            break
    assert today is not None
    assert best is not None
    return today, best


def _turn(campaign: Planned) -> tuple[datetime, bool, int]:
    # Of two that are due at the same time the one written first is looked at first.
    return campaign.at, campaign.movable, campaign.id


def _is_recent(last: datetime | None, at: datetime, window: timedelta) -> bool:
    return bool(window) and last is not None and last > at - window


def _merge(groups: Iterable[PeopleAlike]) -> list[tuple[int, float | None, int]]:
    """Return lists, last message in seconds and people, without those who can never be lost."""
    merged: Counter[tuple[int, float | None]] = Counter()
    for group in groups:
        messaged = group.messaged_at.timestamp() if group.messaged_at else None
        if messaged is not None or group.lists & (group.lists - 1):
            merged[(group.lists, messaged)] += group.people
    return [(lists, messaged, people) for (lists, messaged), people in merged.items()]


def _is_possible(
    campaigns: Sequence[Planned], places: Sequence[int], times: Sequence[datetime]
) -> bool:
    return all(
        (limit := campaigns[place].not_after) is None or at < limit
        for place, at in zip(places, times, strict=True)
    )


def _count_lost(
    campaigns: Sequence[Planned],
    turns: Iterable[tuple[int, datetime]],
    weights: Iterable[tuple[int, float | None, int]],
) -> int:
    """Return how many messages are lost where the campaigns take these turns."""
    steps = []
    for place, at in turns:
        window = campaigns[place].window
        # Without a window no message is recent, however late it came.
        cutoff = (at - window).timestamp() if window else float("inf")
        steps.append((1 << place, at.timestamp(), cutoff))
    lost = 0
    for lists, messaged, people in weights:
        last = messaged
        for bit, at, cutoff in steps:
            if not lists & bit:
                continue
            if last is not None and last > cutoff:
                lost += people
            else:
                last = at
    return lost
