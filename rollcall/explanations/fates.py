"""What became of people in a campaign whose final list is made: got it, left, held back, why.

And why somebody is on neither list: told from what was recorded at both moments.
"""

from rollcall.explanations.causes import UNKNOWN, find_causes
from rollcall.explanations.changes import ListChange, say_moves
from rollcall.explanations.context import Context
from rollcall.explanations.delivery import say_fate
from rollcall.explanations.evidence import Question, find_evidence, say_left_out
from rollcall.explanations.unmet import NOTHING_KEPT, Unmet, find_unmet
from rollcall.explanations.verdicts import Evidence, Explanation, Standing, Verdict
from rollcall.models import AudienceMode, CampaignState, Reason, RecipientState


def explain_outsiders(context: Context, standings: dict[int, Standing]) -> dict[int, Explanation]:
    """Return for each of these people, who are on neither list, why that is."""
    if not standings:
        return {}
    if context.campaign.frozen_at is None:
        never = Explanation(Verdict.NOT_ON_LIST, "No list was made of this campaign.")
        return dict.fromkeys(standings, never)
    if _adds_people(context):
        return _explain(context, standings, at_send=True)
    return _explain(context, standings, at_send=False)


def _adds_people(context: Context) -> bool:
    """Return whether the list that counts was computed again, and could take somebody in."""
    adding = (AudienceMode.REPROCESS, AudienceMode.ADDITIONS)
    return context.uses_computed_list and context.mode in adding


def _explain(
    context: Context, standings: dict[int, Standing], at_send: bool
) -> dict[int, Explanation]:
    campaign = context.campaign
    moment = campaign.final_at if at_send else campaign.frozen_at
    made = "computed again" if at_send else "frozen"
    due = moment if at_send else campaign.scheduled_at
    questions = {}
    for who, standing in standings.items():
        reason = standing.at_send if at_send else standing.at_creation
        if reason is not None and reason is not Reason.REACHABLE:
            questions[who] = Question(reason, moment, due)
    evidence = find_evidence(context, questions)
    unmet = find_unmet(context, [who for who in standings if who not in questions], moment, made)
    found = {}
    for who, standing in standings.items():
        if who in questions:
            why = say_left_out(context, questions[who], evidence.get(who))
            shown = (evidence[who],) if who in evidence else ()
            lead = f"Left out when the list was {made} on {context.say(moment)}"
            key = questions[who].reason.key
            said = _after(context, standing, at_send)
            found[who] = Explanation(Verdict.LEFT_OUT, f"{lead}: {why}{said}.", shown, key)
        else:
            one = unmet.get(who, Unmet(UNKNOWN, NOTHING_KEPT))
            found[who] = _explain_unmet(context, standing, one, at_send)
    return found


def _explain_unmet(context: Context, standing: Standing, one: Unmet, at_send: bool) -> Explanation:
    verdict = Verdict.NOT_ON_LIST if one.cause == "too_late" else Verdict.NOT_MATCHED
    if one.cause in (UNKNOWN, "unkept"):
        verdict = Verdict.UNKNOWN if one.cause == UNKNOWN else Verdict.NOT_MATCHED
    shown = (one.evidence,) if one.evidence is not None else ()
    said = _after(context, standing, at_send)
    return Explanation(verdict, f"Not on the list: {one.text}{said}.", shown, one.cause)


def _after(context: Context, standing: Standing, at_send: bool) -> str:
    """Return what is to be added where they would have come in later, but nobody did."""
    if at_send or standing.at_send is not Reason.REACHABLE or not context.uses_computed_list:
        return ""
    again = context.say(context.campaign.final_at)
    return f"; matched when it was computed again on {again}, but this campaign adds nobody"


Standings = dict[int, Standing]


def explain_fates(context: Context, standings: Standings) -> dict[int, Explanation]:
    """Return for each person what became of them in the campaign, and why."""
    on_list = {who: one for who, one in standings.items() if one.recipient is not None}
    left = {who: one for who, one in on_list.items() if one.change == "left"}
    stayed = {who: one for who, one in on_list.items() if who not in left}
    outside = {who: one for who, one in standings.items() if who not in on_list}
    moved = [who for who, one in on_list.items() if one.change != "kept"]
    causes = find_causes(context.campaign, moved, context) if moved else {}
    moves = say_moves(context, causes)
    found = explain_outsiders(context, outside)
    found |= _explain_left(context, left, causes, moves)
    found |= _explain_listed(context, stayed, causes, moves)
    if context.campaign.state == CampaignState.NEEDS_REVIEW:
        found = {who: _undecided(standings[who], one) for who, one in found.items()}
    return found


def _explain_left(
    context: Context, standings: Standings, causes: dict[int, str], moves: dict[int, ListChange]
) -> dict[int, Explanation]:
    final_at = context.campaign.final_at
    questions = {
        who: Question(one.recipient.left_reason, final_at, final_at)
        for who, one in standings.items()
        if one.recipient is not None
        and one.recipient.left_reason not in (None, Reason.CRITERIA_NO_LONGER_MET)
    }
    evidence = find_evidence(context, questions)
    vague = [
        who
        for who in standings
        if who not in questions and _is_vague(moves.get(who), causes.get(who))
    ]
    unmet = find_unmet(context, vague, final_at, "computed again")
    found = {}
    for who in standings:
        if who in questions:
            why = say_left_out(context, questions[who], evidence.get(who))
            shown = evidence.get(who)
        else:
            why, shown = _say_unmatched(moves.get(who), unmet.get(who))
        found[who] = Explanation(
            Verdict.LEFT,
            f"Left the list when it was computed again on {context.say(final_at)}: {why}.",
            (shown,) if shown is not None else (),
            causes.get(who),
            "left",
        )
    return found


def _is_vague(moved: ListChange | None, cause: str | None) -> bool:
    """Return whether the criterion that was not met may say more than the cause does."""
    return moved is None or (moved.evidence is None and cause in ("cancelled", None))


def _say_unmatched(moved: ListChange | None, unmet: Unmet | None) -> tuple[str, Evidence | None]:
    """Return what is known better: which criterion was not met, or what the cause says."""
    if unmet is not None and unmet.cause not in (UNKNOWN, "unkept"):
        return unmet.text, unmet.evidence
    return (moved.text, moved.evidence) if moved is not None else (NOTHING_KEPT, None)


def _explain_listed(
    context: Context, standings: Standings, causes: dict[int, str], moves: dict[int, ListChange]
) -> dict[int, Explanation]:
    held = {
        who: _held_question(one)
        for who, one in standings.items()
        if one.recipient is not None and one.recipient.state == RecipientState.HELD_BACK
    }
    evidence = find_evidence(context, held)
    found = {}
    for who, standing in standings.items():
        why = say_left_out(context, held[who], evidence.get(who)) if who in held else ""
        fate = say_fate(context, standing, why)
        came = _say_came(context, standing, causes.get(who), moves.get(who))
        shown = [one for one in (evidence.get(who), _evidence_of(moves.get(who))) if one]
        found[who] = Explanation(
            fate.verdict,
            f"{fate.text}; {came}.",
            tuple(shown),
            held[who].reason.key if who in held else causes.get(who),
            standing.change,
        )
    return found


def _held_question(standing: Standing) -> Question:
    recipient = standing.recipient
    reason = recipient.held_reason if recipient is not None else None
    at = recipient.held_at if recipient is not None else None
    return Question(reason or Reason.SET_ASIDE, at, at, held=True)


def _evidence_of(moved: ListChange | None) -> Evidence | None:
    return moved.evidence if moved is not None else None


def _say_came(
    context: Context, standing: Standing, cause: str | None, moved: ListChange | None
) -> str:
    frozen = context.say(context.campaign.frozen_at)
    if standing.change != "joined":
        return f"on the list since it was frozen on {frozen}"
    why = moved.text if moved is not None else NOTHING_KEPT
    return f"joined after the list was frozen on {frozen}: {why}"


def _undecided(standing: Standing, one: Explanation) -> Explanation:
    """Say on what it hangs whether the person gets a campaign that waits for a decision."""
    ways = {
        "kept": "gets it unless the campaign is cancelled in review",
        "joined": "gets it only if review sends to the final list",
        "left": "gets it only if review sends to the frozen list",
    }
    way = ways.get(standing.change or "")
    if way is None:
        return one
    said = one.sentence.removesuffix(".")
    return Explanation(Verdict.UNDECIDED, f"{said}; {way}.", one.evidence, one.cause, one.change)
