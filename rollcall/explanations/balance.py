"""Do a campaign's sums balance: both lists, the funnel, the causes, what became of each message.

Everything is counted anew from the rows and held against what was stored beside them. A final
list that does not balance is never sent to: see `rollcall.sending.resolve`.
"""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from rollcall.audience.funnel import STEPS
from rollcall.explanations.causes import count_causes
from rollcall.explanations.context import Context, context_of
from rollcall.extensions import db
from rollcall.models import (
    AudienceMode,
    Campaign,
    LeftOut,
    Reason,
    Recipient,
    RecipientState,
)
from rollcall.wording import say_number, say_people


@dataclass(frozen=True)
class Imbalance:
    """Two figures of a campaign that should be the same and are not, said in a sentence."""

    campaign_id: int
    sentence: str

    def to_json(self) -> dict[str, Any]:
        """Return it as the command line gives it."""
        return {"campaign_id": self.campaign_id, "sentence": self.sentence}


def find_imbalances(campaign: Campaign, with_causes: bool = True) -> list[Imbalance]:
    """Return what of the campaign's sums does not balance; nothing where all of them do.

    Without the causes it takes two passes over the campaign's rows, and no look at people.
    """
    if campaign.frozen_at is None:
        return []
    rows = _count_rows(campaign.id)
    said = [
        *_check_lists(campaign, rows),
        *_check_states(rows),
        *_check_funnels(context_of(campaign), rows),
    ]
    if with_causes and not said:
        said += _check_causes(campaign, rows)
    return [Imbalance(campaign.id, sentence) for sentence in said]


@dataclass(frozen=True)
class _Rows:
    """The campaign's rows, counted: recipients by lists, state and reason; those left out."""

    recipients: Counter[tuple[bool, bool, RecipientState, Reason | None]]
    at_creation: Counter[Reason]
    at_send: Counter[Reason]

    def count(self, *, estimate: bool | None = None, final: bool | None = None) -> int:
        return sum(
            people
            for (in_estimate, in_final, _, _), people in self.recipients.items()
            if estimate in (None, in_estimate) and final in (None, in_final)
        )

    @property
    def left_by_reason(self) -> Counter[Reason | None]:
        found: Counter[Reason | None] = Counter()
        for (_, in_final, _, reason), people in self.recipients.items():
            if not in_final:
                found[reason] += people
        return found


def _count_rows(campaign_id: int) -> _Rows:
    keys = (Recipient.in_estimate, Recipient.in_final, Recipient.state, Recipient.left_reason)
    recipients = db.session.execute(
        sa.select(*keys, sa.func.count())
        .where(Recipient.campaign_id == campaign_id)
        .group_by(*keys)
    )
    counted: Counter[Any] = Counter({tuple(row[:4]): row[4] for row in recipients})
    at_creation: Counter[Reason] = Counter()
    at_send: Counter[Reason] = Counter()
    left_out = db.session.execute(
        sa.select(LeftOut.at_creation, LeftOut.at_send, sa.func.count())
        .where(LeftOut.campaign_id == campaign_id)
        .group_by(LeftOut.at_creation, LeftOut.at_send)
    )
    for first, second, people in left_out:
        if first is not None:
            at_creation[first] += people
        if second is not None:
            at_send[second] += people
    return _Rows(counted, at_creation, at_send)


def _check_lists(campaign: Campaign, rows: _Rows) -> Iterator[str]:
    estimate = rows.count(estimate=True)
    if estimate != campaign.estimated_recipients:
        yield _differ("The frozen list", estimate, "was frozen", campaign.estimated_recipients)
    nowhere = rows.count(estimate=False, final=False)
    if nowhere:
        yield f"{_are(nowhere)} on neither the estimate nor the final list."
    if campaign.final_at is None:
        return
    final, joined = rows.count(final=True), rows.count(estimate=False, final=True)
    left = rows.count(estimate=True, final=False)
    if final != campaign.actual_recipients:
        yield _differ("The final list", final, "was made", campaign.actual_recipients)
    expected = (campaign.estimated_recipients or 0) + joined - left
    if expected != (campaign.actual_recipients or 0):
        yield (
            f"The estimate of {say_number(campaign.estimated_recipients or 0)} and "
            f"{say_number(joined)} who joined, less {say_number(left)} who left, are "
            f"{say_number(expected)} and not {say_number(campaign.actual_recipients or 0)}."
        )


def _differ(what: str, found: int, verb: str, stored: int | None) -> str:
    return f"{what} has {say_people(found)}, but it {verb} with {say_number(stored or 0)}."


def _are(people: int) -> str:
    return f"{say_people(people)} {'is' if people == 1 else 'are'}"


def _check_states(rows: _Rows) -> Iterator[str]:
    """Each of the final list has a state of its own, and whoever left has none but that."""
    for (_, in_final, state, reason), people in rows.recipients.items():
        if in_final and (state == RecipientState.LEFT or reason is not None):
            yield f"{_are(people)} on the final list and marked as having left it."
        if not in_final and state != RecipientState.LEFT:
            yield f"{_are(people)} marked as {state.key}, but left the list."
        if not in_final and reason is None:
            yield f"{say_people(people)} left the list without a reason."


def _check_funnels(context: Context, rows: _Rows) -> Iterator[str]:
    campaign = context.campaign
    created = (campaign.estimate_snapshot or {}).get("funnel") or {}
    yield from _check_funnel("when it was frozen", created)
    if created.get("reachable", campaign.estimated_recipients) != campaign.estimated_recipients:
        yield "The funnel when it was frozen reached another number than the estimate."
    if context.keeps_left_out:
        yield from _check_left_out("when it was frozen", created, rows.at_creation)
    if not context.uses_computed_list:
        return
    sent = (campaign.final_snapshot or {}).get("funnel") or {}
    yield from _check_funnel("when it was computed again", sent)
    if context.mode == AudienceMode.ADDITIONS or not context.keeps_left_out_at_send:
        return  # whoever was signed off stays on that list, whatever the funnel says
    left_out = Counter(rows.at_send)
    for reason, people in rows.left_by_reason.items():
        if reason is not None and reason in STEPS:
            left_out[reason] += people
    yield from _check_left_out("when it was computed again", sent, left_out)
    reached = rows.count(final=True) + rows.at_send[Reason.REACHABLE]
    if reached != sent.get("reachable"):
        yield _differ("The list computed again", reached, "was counted", sent.get("reachable"))


def _check_funnel(when: str, funnel: dict[str, int]) -> Iterator[str]:
    steps = sum(people for key, people in funnel.items() if key not in ("matched", "reachable"))
    if funnel and funnel["matched"] != steps + funnel["reachable"]:
        yield (
            f"The funnel {when} matched {say_number(funnel['matched'])}, and its steps and those "
            f"it reached are {say_number(steps + funnel['reachable'])}."
        )


def _check_left_out(when: str, funnel: dict[str, int], kept: Counter[Reason]) -> Iterator[str]:
    for reason in STEPS:
        counted = funnel.get(reason.key, 0)
        if kept[reason] != counted:
            yield (
                f"{say_number(kept[reason])} are kept as {reason.key} {when}, and the funnel "
                f"counted {say_number(counted)}."
            )


def _check_causes(campaign: Campaign, rows: _Rows) -> Iterator[str]:
    if not rows.count(estimate=False) and not rows.count(final=False):
        return  # nobody moved
    causes = count_causes(campaign)
    for name, by_cause, people in (
        ("joined", causes.joined, rows.count(estimate=False, final=True)),
        ("left", causes.left, rows.count(estimate=True, final=False)),
    ):
        if sum(by_cause.values()) != people:
            yield (
                f"The causes of those who {name} add up to {say_number(sum(by_cause.values()))}, "
                f"and {say_number(people)} {name}."
            )


def check_campaigns(
    organisation_id: int, campaign_id: int | None = None
) -> tuple[int, list[Imbalance]]:
    """Return how many campaigns were checked, one or all of an organisation, and what was found."""
    wanted = sa.select(Campaign).where(Campaign.organisation_id == organisation_id)
    if campaign_id is not None:
        wanted = wanted.where(Campaign.id == campaign_id)
    campaigns = db.session.scalars(wanted.order_by(Campaign.id)).all()
    found = [one for campaign in campaigns for one in find_imbalances(campaign)]
    return len(campaigns), found
