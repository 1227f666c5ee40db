"""Why somebody is on neither list of a campaign: told from what was recorded at both moments."""

from rollcall.explanations.context import Context
from rollcall.explanations.evidence import Question, find_evidence, say_left_out
from rollcall.explanations.standing import Standing
from rollcall.explanations.unmatched import NOTHING_KEPT, Unmet, find_unmet
from rollcall.explanations.verdicts import Explanation, Verdict
from rollcall.models import AudienceMode, Reason


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
            one = unmet.get(who, Unmet("unknown", NOTHING_KEPT))
            found[who] = _explain_unmet(context, standing, one, at_send)
    return found


def _explain_unmet(context: Context, standing: Standing, one: Unmet, at_send: bool) -> Explanation:
    verdict = Verdict.NOT_ON_LIST if one.cause == "too_late" else Verdict.NOT_MATCHED
    if one.cause in ("unknown", "unkept"):
        verdict = Verdict.UNKNOWN if one.cause == "unknown" else Verdict.NOT_MATCHED
    shown = (one.evidence,) if one.evidence is not None else ()
    said = _after(context, standing, at_send)
    return Explanation(verdict, f"Not on the list: {one.text}{said}.", shown, one.cause)


def _after(context: Context, standing: Standing, at_send: bool) -> str:
    """Return what is to be added where they would have come in later, but nobody did."""
    if at_send or standing.at_send is not Reason.REACHABLE or not context.uses_computed_list:
        return ""
    again = context.say(context.campaign.final_at)
    return f"; matched when it was computed again on {again}, but this campaign adds nobody"
