"""Which campaigns want the same people, read from the database: see `collisions` for the rules.

A scheduled campaign's list is the one that was frozen, also where the audience is computed again
at its time: nobody can know today who joins. A draft's is the one that scheduling would freeze.
One that is being sent counts with those who are still to get it; whom it has reached carries the
time of that message already.
"""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa

from rollcall import clock
from rollcall.audience.criteria import (
    DEFAULT_WINDOW_HOURS,
    campaign_criteria,
    check_chooses_somebody,
    criteria_from_text,
)
from rollcall.audience.preview import AudienceMember
from rollcall.audience.query import exclusion_reason
from rollcall.audience.staging import staged, staged_audience
from rollcall.campaigns.collisions import MOST_CAMPAIGNS, PeopleAlike, Planned, wants_the_same
from rollcall.campaigns.segment_base import criteria_to_freeze, snapshot_choice_of
from rollcall.errors import InvalidInput
from rollcall.extensions import db
from rollcall.models import (
    AudienceMode,
    Campaign,
    CampaignState,
    Channel,
    Person,
    PersonFacts,
    Reason,
    Recipient,
    RecipientState,
)
from rollcall.models.types import EpochSeconds, IdList, IsOneOf
from rollcall.people.search import matches_person

SENDING = (CampaignState.PREPARING, CampaignState.SENDING)
STILL_TO_GET_IT = (RecipientState.QUEUED, RecipientState.CLAIMED, RecipientState.WIRING)
# So many campaigns around this one's time are looked at; of those that matter the nearest count.
LOOKED_AT = 40
TICK = timedelta(microseconds=1)
RANKS = 64  # more than there can be cutoffs


@dataclass(frozen=True)
class Contender:
    """A campaign as the search needs it: when it goes, by which channel, and what it says of it."""

    plan: Planned
    channel: Channel
    dynamic: bool
    people: int  # on its list as it was frozen
    draft: bool = False


@dataclass(frozen=True)
class Contest:
    """The campaigns that may want the same people, this one first, and how many more there are.

    `cutoffs` are all the moments after which a message is recent for one of them at some time.
    """

    contenders: list[Contender]
    more: int
    cutoffs: list[datetime]

    @property
    def size(self) -> int:
        """Return how many rows all the lists have together."""
        return sum(contender.people for contender in self.contenders)

    @property
    def plans(self) -> list[Planned]:
        """Return the campaigns' times and windows, in their places."""
        return [contender.plan for contender in self.contenders]


def find_contest(campaign: Campaign) -> Contest | None:
    """Return the campaigns around a draft or scheduled one; None where it has no rival.

    A dry run messages nobody, so that it neither loses nor takes anybody.
    """
    if campaign.is_dry_run or campaign.state not in (CampaignState.DRAFT, CampaignState.SCHEDULED):
        return None
    this = _contender(campaign)
    others = sorted(
        (_contender(other) for other in _read_around(campaign, this.plan.at)),
        key=lambda other: (not wants_the_same(this.plan, other.plan), _gap(this, other)),
    )
    chosen, left = [this], others
    while True:
        near = [other for other in left if any(_related(other, one) for one in chosen)]
        if not near or len(chosen) == MOST_CAMPAIGNS:
            break
        chosen.append(near[0])
        left = [other for other in left if other is not near[0]]
    if len(chosen) == 1:
        return None
    return Contest(chosen, len(near), _cutoffs([one.plan for one in chosen]))


def count_collided(contest: Contest) -> list[PeopleAlike]:
    """Return everybody on the lists, those alike together, from one statement."""
    placed = _place_people(contest)
    rows = db.session.execute(
        sa.select(placed.c.lists, placed.c.rank, sa.func.count())
        .where(placed.c.lists > 0)
        .group_by(placed.c.lists, placed.c.rank)
    )
    return [PeopleAlike(lists, _moment(contest, rank), people) for lists, rank, people in rows]


def every_kind(contest: Contest) -> list[PeopleAlike]:
    """Return one person of each kind that there can be, whether or not there is one."""
    return [
        PeopleAlike(lists, _moment(contest, rank), 1)
        for lists in range(1, 1 << len(contest.contenders))
        for rank in range(len(contest.cutoffs) + 1)
    ]


def list_people(
    contest: Contest,
    groups: Iterable[PeopleAlike],
    after: int = 0,
    limit: int = 50,
    text: str = "",
) -> list[AudienceMember]:
    """Return the people of some of the groups beyond person id `after`, narrowed by `text`."""
    ranks = {_moment(contest, rank): rank for rank in range(len(contest.cutoffs) + 1)}
    keys = [group.lists * RANKS + ranks[group.messaged_at] for group in groups]
    placed = _place_people(contest, after)
    key = placed.c.lists * RANKS + placed.c.rank
    rows = db.session.execute(
        sa.select(Person.id, Person.first_name, Person.last_name, Person.phone, Person.email)
        .join(placed, placed.c.person_id == Person.id)
        .where(
            IsOneOf(key, sa.literal(keys, IdList)),
            *([matches_person(text)] if text else []),
        )
        .order_by(Person.id)
        .limit(limit)
    )
    return [
        AudienceMember(row.id, f"{row.first_name} {row.last_name}".strip(), row.phone, row.email)
        for row in rows
    ]


@contextmanager
def lists_ready(campaign: Campaign) -> Iterator[None]:
    """Stage a draft's audience, as scheduling would freeze it, for the block.

    Raises InvalidInput where its criteria can't be run.
    """
    if campaign.state != CampaignState.DRAFT:
        yield
        return
    criteria = campaign_criteria(campaign)
    check_chooses_somebody(criteria)
    organisation_id, channel = campaign.organisation_id, Channel(campaign.channel)
    criteria = criteria_to_freeze(organisation_id, criteria, snapshot_choice_of(campaign))
    due = max(campaign.scheduled_at or clock.now(), clock.now())
    with staged_audience(organisation_id, criteria, channel, due):
        yield


def _read_around(campaign: Campaign, at: datetime) -> Sequence[Campaign]:
    # Those that go out now stand first: their time is now, whatever was planned.
    distance = sa.case(
        (Campaign.state.in_(SENDING), 0),
        else_=sa.func.abs(EpochSeconds(Campaign.scheduled_at) - int(at.timestamp())),
    )
    return db.session.scalars(
        sa.select(Campaign)
        .where(
            Campaign.organisation_id == campaign.organisation_id,
            Campaign.id != campaign.id,
            Campaign.state.in_([CampaignState.SCHEDULED, *SENDING]),
            Campaign.dry_run_address.is_(None),
        )
        .order_by(distance, Campaign.id)
        .limit(LOOKED_AT)
    ).all()


def _contender(campaign: Campaign) -> Contender:
    now = clock.now()
    sending = campaign.state in SENDING
    plan = Planned(
        id=campaign.id,
        name=campaign.name,
        at=now if sending else max(campaign.scheduled_at or now, now),
        window=timedelta(hours=_window_hours(campaign)),
        movable=not sending,
        not_after=campaign.not_after,
    )
    dynamic = campaign.audience_mode != AudienceMode.FROZEN
    draft = campaign.state == CampaignState.DRAFT
    people = campaign.estimated_recipients or 0
    return Contender(plan, Channel(campaign.channel), dynamic, people, draft)


def _window_hours(campaign: Campaign) -> int:
    try:
        return criteria_from_text(campaign.targeting_criteria or "").window_hours
    except InvalidInput:
        # Sending holds to the usual window too where the criteria are damaged.
        return DEFAULT_WINDOW_HOURS


def _related(one: Contender, other: Contender) -> bool:
    return wants_the_same(one.plan, other.plan)


def _gap(one: Contender, other: Contender) -> timedelta:
    return abs(one.plan.at - other.plan.at)


def _cutoffs(plans: Sequence[Planned]) -> list[datetime]:
    """Return from when on a message is recent, for each campaign at each of the times.

    Those still to come are left out: nobody has had a message after them.
    """
    times, now = [plan.at for plan in plans], clock.now()
    cutoffs = {at - plan.window for plan in plans if plan.window for at in times}
    return sorted(cutoff for cutoff in cutoffs if cutoff < now)


def _moment(contest: Contest, rank: int) -> datetime | None:
    # Within a rank no cutoff lies, so that any moment of it stands for all.
    return contest.cutoffs[rank - 1] + TICK if rank else None


def _place_people(contest: Contest, after: int = 0) -> sa.Subquery:
    # Each person's lists are added up as bits, in one pass over the lists; those of a channel
    # over which the person can't be reached count for nothing. The rank says between which
    # cutoffs the last message lies: that is all that any order of the campaigns asks of it.
    members = _members(contest)
    on_lists = (
        sa.select(
            members.c.person_id,
            sa.func.sum(members.c.sms).label("sms"),
            sa.func.sum(members.c.email).label("email"),
        )
        .where(members.c.person_id > after)
        .group_by(members.c.person_id)
        .subquery("on_lists")
    )
    lists = sum(
        (
            sa.case((exclusion_reason(channel, None) == int(Reason.REACHABLE), bits), else_=0)
            for channel, bits in ((Channel.SMS, on_lists.c.sms), (Channel.EMAIL, on_lists.c.email))
        ),
        start=sa.literal_column("0"),
    )
    rank: Any = sa.literal_column("0")
    if cutoffs := contest.cutoffs:
        # Most people's last message is long ago, so that this is asked first.
        last = PersonFacts.last_message_at
        steps = [(last > cutoff, place) for place, cutoff in enumerate(cutoffs, 1)][:0:-1]
        rank = sa.case((last.is_(None) | (last <= cutoffs[0]), 0), *steps, else_=1)
    return (
        sa.select(on_lists.c.person_id, lists.label("lists"), rank.label("rank"))
        .join(PersonFacts, PersonFacts.person_id == on_lists.c.person_id)
        .subquery("placed")
    )


def _members(contest: Contest) -> sa.Subquery:
    bits = {
        channel: {
            one.plan.id: 1 << place
            for place, one in enumerate(contest.contenders)
            if one.channel == channel
        }
        for channel in Channel
    }

    def bit(channel: Channel) -> Any:
        steps = [
            (Recipient.campaign_id == number, value) for number, value in bits[channel].items()
        ]
        return sa.case(*steps, else_=0) if steps else sa.literal_column("0")

    this = contest.contenders[0]
    stored = [one.plan.id for one in contest.contenders if not one.draft]
    selects = [
        sa.select(
            Recipient.person_id,
            bit(Channel.SMS).label("sms"),
            bit(Channel.EMAIL).label("email"),
        ).where(
            Recipient.campaign_id.in_(stored),
            Recipient.in_final.is_(True),
            Recipient.state.in_(STILL_TO_GET_IT),
        )
    ]
    if this.draft:
        own = [sa.literal_column(str(int(this.channel == channel))) for channel in Channel]
        selects.append(
            sa.select(staged.c.person_id, *own).where(staged.c.reason == Reason.REACHABLE)
        )
    return sa.union_all(*selects).subquery("members")
