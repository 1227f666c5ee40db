"""Both lists of a campaign: the estimate's rows turned into the final list, and back.

The final list is stored completely before the first message: who stayed, who joined, who left
and why. Frozen campaigns need no row rewritten, since their final list begins as the estimate.
"""

from collections import Counter
from dataclasses import dataclass
from decimal import ROUND_FLOOR, Decimal

import sqlalchemy as sa

from rollcall.audience.staging import staged
from rollcall.extensions import db
from rollcall.models import (
    AudienceMode,
    AudienceSource,
    Campaign,
    LeftOut,
    PersonFacts,
    Reason,
    Recipient,
    RecipientState,
)
from rollcall.sql import upsert_into


@dataclass(frozen=True)
class FinalList:
    """How many people the final list holds, how they came in, where their phones are; and how
    many joined and left.
    """

    people: int
    joined: int
    left: int
    by_source: dict[AudienceSource, int]
    by_country: dict[str, int]


def store_difference(campaign_id: int, mode: AudienceMode) -> None:
    """Turn the estimate's rows into both lists, by the staged audience, in the open transaction.

    Three statements touch only who changed: those who left, with the reason; those who
    stayed but came in another way; those who joined. A mode of one direction only leaves out
    the other. A fourth keeps why everybody else whom the criteria match is on neither list.
    """
    estimate = _estimate(campaign_id)
    if mode != AudienceMode.ADDITIONS:
        _mark_left(estimate)
    _mark_new_sources(estimate)
    if mode != AudienceMode.REMOVALS:
        _add_joined(campaign_id, estimate)
    _keep_left_out(campaign_id)


def restore_estimate(campaign_id: int) -> None:
    """Make the final list the estimate again, in the open transaction, before anything is sent."""
    db.session.execute(
        sa.delete(Recipient).where(
            Recipient.campaign_id == campaign_id, Recipient.in_estimate.is_(False)
        )
    )
    db.session.execute(
        sa.update(Recipient)
        .where(Recipient.campaign_id == campaign_id)
        .values(
            in_final=True,
            final_source=Recipient.estimate_source,
            left_reason=None,
            state=RecipientState.QUEUED,
        )
        .execution_options(synchronize_session=False)
    )


def count_final(campaign_id: int) -> FinalList:
    """Return the figures of the final list as it is stored."""
    keys = (
        *(Recipient.in_estimate, Recipient.in_final, Recipient.final_source),
        PersonFacts.phone_country,
    )
    rows = db.session.execute(
        sa.select(*keys, sa.func.count())
        .join(PersonFacts, PersonFacts.person_id == Recipient.person_id)
        .where(Recipient.campaign_id == campaign_id)
        .group_by(*keys)
    )
    joined, left = 0, 0
    by_source: Counter[AudienceSource] = Counter()
    by_country: Counter[str] = Counter()
    for in_estimate, in_final, source, country, count in rows:
        if not in_final:
            left += count
            continue
        joined += 0 if in_estimate else count
        by_source[source or AudienceSource.OTHER] += count
        by_country[country] += count
    return FinalList(sum(by_source.values()), joined, left, dict(by_source), dict(by_country))


def count_changes(campaign_id: int, mode: AudienceMode) -> tuple[int, int]:
    """Return how many people the staged audience adds to and takes off the stored final list."""
    same = sa.exists().where(
        Recipient.campaign_id == campaign_id, Recipient.person_id == staged.c.person_id
    )
    added = sa.select(sa.func.count()).where(
        staged.c.reason == Reason.REACHABLE, ~same.where(Recipient.in_final.is_(True))
    )
    gone = sa.select(sa.func.count()).where(
        Recipient.campaign_id == campaign_id, Recipient.in_final.is_(True), ~_is_reachable()
    )
    if mode == AudienceMode.REMOVALS:
        added = added.where(same.where(Recipient.in_estimate.is_(True)))
    if mode == AudienceMode.ADDITIONS:
        # Whoever was signed off stays, whatever they match; only those who joined can go again.
        gone = gone.where(Recipient.in_estimate.is_(False))
    return db.session.scalar(added) or 0, db.session.scalar(gone) or 0


def _estimate(campaign_id: int) -> "_Conditions":
    return (Recipient.campaign_id == campaign_id, Recipient.in_estimate.is_(True))


_Conditions = tuple[sa.ColumnElement[bool], ...]


def _is_reachable() -> sa.Exists:
    # EXISTS by the index: PostgreSQL goes through a set row by row once it outgrows its memory.
    return sa.exists().where(
        staged.c.person_id == Recipient.person_id, staged.c.reason == Reason.REACHABLE
    )


def _mark_left(estimate: _Conditions) -> None:
    today = sa.select(staged.c.reason).where(staged.c.person_id == Recipient.person_id)
    unmatched = sa.literal(int(Reason.CRITERIA_NO_LONGER_MET))
    db.session.execute(
        sa.update(Recipient)
        .where(*estimate, ~_is_reachable())
        .values(
            in_final=False,
            final_source=None,
            left_reason=sa.func.coalesce(today.scalar_subquery(), unmatched),
            state=RecipientState.LEFT,
        )
        .execution_options(synchronize_session=False)
    )


def _mark_new_sources(estimate: _Conditions) -> None:
    db.session.execute(
        sa.update(Recipient)
        .where(
            *estimate,
            Recipient.in_final.is_(True),
            staged.c.person_id == Recipient.person_id,
            staged.c.source != Recipient.estimate_source,
        )
        .values(final_source=staged.c.source)
        .execution_options(synchronize_session=False)
    )


def _add_joined(campaign_id: int, estimate: _Conditions) -> None:
    known = sa.exists().where(*estimate, Recipient.person_id == staged.c.person_id)
    joined = sa.select(
        sa.literal(campaign_id),
        staged.c.person_id,
        sa.false(),
        sa.true(),
        staged.c.source,
        sa.literal(int(RecipientState.QUEUED)),
    ).where(staged.c.reason == Reason.REACHABLE, ~known)
    columns = ["campaign_id", "person_id", "in_estimate", "in_final", "final_source", "state"]
    db.session.execute(sa.insert(Recipient).from_select(columns, joined))


def _keep_left_out(campaign_id: int) -> None:
    db.session.execute(
        sa.update(LeftOut)
        .where(LeftOut.campaign_id == campaign_id, LeftOut.at_send.is_not(None))
        .values(at_send=None)
        .execution_options(synchronize_session=False)
    )
    known = sa.exists().where(
        Recipient.campaign_id == campaign_id, Recipient.person_id == staged.c.person_id
    )
    others = sa.select(sa.literal(campaign_id), staged.c.person_id, staged.c.reason).where(~known)
    insert = upsert_into(LeftOut).from_select(["campaign_id", "person_id", "at_send"], others)
    db.session.execute(
        insert.on_conflict_do_update(
            index_elements=["campaign_id", "person_id"],
            set_={"at_send": insert.excluded.at_send},
        )
    )


@dataclass(frozen=True)
class AudienceChange:
    """How the final audience differs from the estimate."""

    estimate: int
    final: int

    @property
    def absolute(self) -> int:
        """Return the change in people."""
        return self.final - self.estimate

    @property
    def percent(self) -> int | None:
        """Return the change in percent, rounded half up; None where the estimate was 0."""
        return percent_change(self.estimate, self.final)


def percent_change(before: int, after: int) -> int | None:
    """Return how much `after` is over `before` in percent, rounded half up; None from 0."""
    if before == 0:
        return None
    exact = Decimal(100) * (after - before) / before
    # Half up as in the contract: half a percent counts as the larger number, also below zero.
    return int((exact + Decimal("0.5")).to_integral_value(ROUND_FLOOR))


def audience_change(campaign: Campaign) -> AudienceChange | None:
    """Return the campaign's change, or None until both lists are known."""
    if campaign.estimated_recipients is None or campaign.actual_recipients is None:
        return None
    return AudienceChange(campaign.estimated_recipients, campaign.actual_recipients)
