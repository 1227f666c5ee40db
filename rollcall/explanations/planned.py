"""Would these people get a campaign that has not gone out, as things stand, and why (not)."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

import sqlalchemy as sa

from rollcall import clock
from rollcall.audience.criteria import Criteria
from rollcall.audience.criteria.attendance import say_share
from rollcall.audience.criteria.table import attended_by
from rollcall.audience.query import audience_select
from rollcall.audience.resolved import Resolved
from rollcall.campaigns.segment_base import resolve_to_freeze, snapshot_choice_of
from rollcall.errors import InvalidInput
from rollcall.explanations.attendance import attendances_at, say_attendance
from rollcall.explanations.causes import UNKNOWN
from rollcall.explanations.context import Context
from rollcall.explanations.evidence import Question, find_evidence, say_left_out
from rollcall.explanations.fates import explain_outsiders
from rollcall.explanations.unmet import NOTHING_KEPT, Unmet, find_unmet
from rollcall.explanations.verdicts import Evidence, Explanation, Standing, Verdict
from rollcall.extensions import db
from rollcall.models import AudienceMode, CampaignState, Reason
from rollcall.models.types import IdList, IsOneOf

Standings = dict[int, Standing]
DAMAGED = Explanation(Verdict.UNKNOWN, "Nobody can say: the campaign's criteria are damaged.")
DRY_RUN = Explanation(
    Verdict.LEFT_OUT,
    "Would not get it: this is a dry run, which messages nobody of its list.",
    cause=Reason.DRY_RUN.key,
)


def explain_planned(context: Context, standings: Standings) -> dict[int, Explanation]:
    """Return for each person whether they would get it as things stand, and why."""
    try:
        if context.criteria is None:
            return dict.fromkeys(standings, DAMAGED)
        criteria, known = _criteria_now(context, context.criteria)
        context = replace(context, criteria=criteria, resolved=known)
        listed = [who for who, standing in standings.items() if _is_decided(context, standing)]
        inside = {who: standings[who] for who in listed if standings[who].on_estimate}
        outside = {who: standings[who] for who in listed if not standings[who].on_estimate}
        rest = {who: standings[who] for who in standings if who not in listed}
        found = _explain_listed(context, criteria, inside)
        found |= explain_outsiders(context, outside)
        found |= _explain_open(context, criteria, rest)
    except InvalidInput:
        return dict.fromkeys(standings, DAMAGED)
    if context.campaign.dry_run_address:
        found = {who: DRY_RUN if one.gets_it else one for who, one in found.items()}
    if context.campaign.state == CampaignState.NEEDS_REVIEW:
        found = {who: _waiting_for_decision(one) for who, one in found.items()}
    return found


def _waiting_for_decision(one: Explanation) -> Explanation:
    verdict = Verdict.UNDECIDED if one.gets_it else one.verdict
    said = f"{one.sentence.removesuffix('.')}; the campaign waits for a decision."
    return replace(one, verdict=verdict, sentence=said)


def _criteria_now(context: Context, criteria: Criteria) -> tuple[Criteria, Resolved]:
    """Return what a draft would be frozen by, and what others were; with all that they name."""
    if context.campaign.state != CampaignState.DRAFT:
        return criteria, context.known
    choice = snapshot_choice_of(context.campaign)
    return resolve_to_freeze(context.known, criteria, choice)


def _is_decided(context: Context, standing: Standing) -> bool:
    """Return whether the frozen list alone says if the person is to get it."""
    if context.campaign.frozen_at is None or context.campaign.state == CampaignState.DRAFT:
        return False
    return {
        AudienceMode.FROZEN: True,
        AudienceMode.REPROCESS: False,
        AudienceMode.REMOVALS: not standing.on_estimate,
        AudienceMode.ADDITIONS: standing.on_estimate,
    }[context.mode]


def find_reasons(
    context: Context, criteria: Criteria, people: Sequence[int], moment: datetime
) -> dict[int, Reason]:
    """Return why each would not get it at the moment; who is not matched is left out."""
    if not people:
        return {}
    query = audience_select(
        context.organisation_id, criteria, context.channel, moment, known=context.known
    )
    audience = query.statement.subquery("audience")
    rows = db.session.execute(
        sa.select(audience.c.person_id, audience.c.reason).where(
            IsOneOf(audience.c.person_id, sa.literal(list(people), IdList))
        ),
        query.values,
    )
    return {row.person_id: row.reason for row in rows}


def _explain_listed(
    context: Context, criteria: Criteria, standings: Standings
) -> dict[int, Explanation]:
    """Say of those on the frozen list what may still hold their message back."""
    alone = Criteria(people=tuple(standings), window_hours=criteria.window_hours)
    reasons = find_reasons(context, alone, list(standings), context.due)
    since = f"on the list since it was frozen on {context.say(context.campaign.frozen_at)}"
    shared = {who: _question(context, Reason.DUPLICATE_ADDRESS) for who in standings}
    evidence = find_evidence(context, shared)
    held = {who: question for who, question in shared.items() if who in evidence}
    # Who is asked about together may share an address with each other without being listed.
    single = {
        who: _question(context, reason)
        for who, reason in reasons.items()
        if who not in held and reason not in (Reason.REACHABLE, Reason.DUPLICATE_ADDRESS)
    }
    held |= single
    evidence |= find_evidence(context, single)
    gets = Explanation(
        Verdict.WOULD_GET,
        f"Would get it: {since}, and nothing holds the message back as things stand.",
        change="kept",
    )
    found = dict.fromkeys(standings, gets)
    for who, question in held.items():
        why = say_left_out(context, question, evidence.get(who))
        found[who] = Explanation(
            Verdict.HELD_BACK,
            f"Would be held back as things stand: {why}; {since}.",
            _listed(evidence.get(who)),
            question.reason.key,
            "kept",
        )
    return found


def _question(context: Context, reason: Reason) -> Question:
    return Question(reason, clock.now(), context.due, past=False)


def _listed(evidence: Evidence | None) -> tuple[Evidence, ...]:
    return (evidence,) if evidence is not None else ()


def _explain_open(
    context: Context, criteria: Criteria, standings: Standings
) -> dict[int, Explanation]:
    """Say of everybody whom the criteria decide on what they give as things stand."""
    people = list(standings)
    reasons = find_reasons(context, criteria, people, context.due)
    left_out = {
        who: _question(context, reason)
        for who, reason in reasons.items()
        if reason is not Reason.REACHABLE
    }
    evidence = find_evidence(context, left_out)
    unmet = find_unmet(context, [who for who in people if who not in reasons], None)
    matching = _find_matching(context, [who for who in reasons if who not in left_out])
    found = {}
    for who, standing in standings.items():
        if who in left_out:
            why = say_left_out(context, left_out[who], evidence.get(who))
            found[who] = _explain_out(
                context,
                standing,
                Verdict.LEFT_OUT,
                why,
                evidence.get(who),
                left_out[who].reason.key,
            )
        elif who in reasons:
            found[who] = _explain_in(context, standing, *matching[who])
        else:
            one = unmet.get(who, Unmet(UNKNOWN, NOTHING_KEPT))
            found[who] = _explain_out(
                context, standing, Verdict.NOT_MATCHED, one.text, one.evidence, one.cause
            )
    return found


def _explain_out(
    context: Context,
    standing: Standing,
    verdict: Verdict,
    why: str,
    evidence: Evidence | None,
    cause: str,
) -> Explanation:
    lead, change = "Left out as things stand", None
    if verdict is Verdict.NOT_MATCHED:
        lead = "Not matched as things stand"
    if standing.on_estimate:
        lead = f"Would leave the list that was frozen on {context.say(context.campaign.frozen_at)}"
        change = "left"
    return Explanation(verdict, f"{lead}: {why}.", _listed(evidence), cause, change)


def _explain_in(
    context: Context, standing: Standing, why: str, evidence: Evidence | None
) -> Explanation:
    lead, change = "Would get it as things stand", None
    if standing.on_estimate:
        change = "kept"
    elif context.campaign.frozen_at is not None:
        frozen = context.say(context.campaign.frozen_at)
        lead, change = f"Would join the list that was frozen on {frozen}, and get it", "joined"
    return Explanation(Verdict.WOULD_GET, f"{lead}: {why}.", _listed(evidence), None, change)


def _find_matching(
    context: Context, people: Sequence[int]
) -> dict[int, tuple[str, Evidence | None]]:
    """Return by what the criteria match each person now, and what shows it."""
    criteria = context.criteria or Criteria()
    records = attendances_at(context, people, criteria.events)
    plain = "matches the filters"
    if criteria.people is not None:
        plain = "picked by hand"
    elif criteria.segment is not None:
        plain = f"is in the segment {context.names.segment(criteria.segment)}"
    found: dict[int, tuple[str, Evidence | None]] = dict.fromkeys(people, (plain, None))
    attends = attended_by(criteria)
    if attends is None:
        return found
    for who, rows in records.items():
        fitting = [one for one in rows if not one.cancelled and attends.counts(criteria, one.visit)]
        if fitting:
            text = say_attendance(context, fitting[0])
            if attends.needed(criteria) > 1:
                events = len({one.slug for one in fitting})
                text = f"came to {say_share(events, attends.slugs(criteria))}"
            found[who] = text, fitting[0].arrival(text)
    return found
