"""People of earlier campaigns who are left out."""

from collections.abc import Hashable, Mapping
from typing import Annotated, Any, Literal

import sqlalchemy as sa
from pydantic import BaseModel, ConfigDict
from pydantic import Field as Limit

from rollcall.audience.criteria.criterion import (
    EVERY_WAY,
    Asked,
    Criterion,
    Field,
    FormData,
    Given,
    Lack,
    Lookup,
    Mentions,
    Moved,
    Option,
    People,
    Recorded,
    Rule,
    Values,
    nothing_wrong,
    shows_nothing,
)
from rollcall.audience.criteria.reading import at_most, is_id, is_number
from rollcall.audience.criteria.segments import LARGEST_ID, or_plain
from rollcall.audience.criteria.values import (
    MAX_EXCLUSIONS,
    CampaignChoice,
    Criteria,
    Names,
    Reached,
    either,
)
from rollcall.models import Attempt, Campaign, Reason, Recipient, RecipientState

_SAY = 'Give campaigns\' numbers (ids), or {"id": 12, "who": "sent"}.'
_CHOICE = {"id", "who"}
_NAMED = 4
_REACHED_WORDS = {
    Reached.PLANNED: "on the list of",
    Reached.SENT: "sent",
    Reached.DELIVERED: "reached by",
}
_MAY_HAVE_IT = (
    RecipientState.WIRING,
    RecipientState.SENT,
    RecipientState.DELIVERED,
    RecipientState.IN_DOUBT,
)
_WENT_OUT = (RecipientState.SENT, RecipientState.DELIVERED, RecipientState.IN_DOUBT)
_ID = {"type": "integer", "minimum": 1, "maximum": LARGEST_ID}
_WHO = {
    "enum": [who.value for who in Reached],
    "default": Reached.PLANNED.value,
    "description": "Everybody on its list, whoever was or may have been sent its message, or "
    "those for whom it was reported as delivered.",
}


class CampaignReference(BaseModel):
    """The people of an earlier campaign."""

    model_config = ConfigDict(extra="forbid")

    id: Annotated[int, Limit(ge=1, le=LARGEST_ID)]
    who: Literal["planned", "sent", "delivered"] = "planned"


CampaignGiven = Annotated[CampaignReference, *or_plain("id", int, _ID, {"who": _WHO}, _SAY)]


def _read(value: Any) -> dict[str, Any]:
    if not isinstance(value, list | tuple):
        raise ValueError("Give a list of campaigns' numbers (ids).")
    return {"exclude_campaigns": at_most(tuple(dict.fromkeys(map(_read_choice, value))))}


def _read_choice(value: Any) -> CampaignChoice:
    given: Any = {"id": value} if isinstance(value, int) else value
    if not isinstance(given, Mapping) or not is_id(given.get("id")) or given.keys() - _CHOICE:
        raise ValueError(_SAY)
    try:
        return CampaignChoice(given["id"], Reached(given.get("who") or Reached.PLANNED))
    except ValueError as error:
        raise ValueError(
            f"{given['who']!r} can't be left out: use {', '.join(Reached)}."
        ) from error


def _write(criteria: Criteria) -> dict[str, Any]:
    choices = [choice.to_json() for choice in criteria.exclude_campaigns]
    return {"exclude_campaigns": choices} if choices else {}


def _by_who(criteria: Criteria) -> dict[Reached, list[int]]:
    found: dict[Reached, list[int]] = {}
    for choice in criteria.exclude_campaigns:
        found.setdefault(choice.who, []).append(choice.id)
    return found


def _bind(criteria: Criteria, lookup: Lookup) -> tuple[Hashable, Values] | None:
    lookup.check_campaigns(tuple(choice.id for choice in criteria.exclude_campaigns))
    by_who = _by_who(criteria)
    values: Values = {f"{who}_campaigns": ids for who, ids in by_who.items()}
    return (tuple(by_who), values) if by_who else None


def _reached(asked: Asked) -> Any:
    return _together([_reached_now(who, asked) for who in asked.shape])


def _reached_before(asked: Asked) -> Any:
    return _together([_reached_then(who, asked) for who in asked.shape])


def _together(sets: list[People]) -> Any:
    return sets[0] if len(sets) == 1 else sa.union_all(*sets)


def _reached_now(who: Reached, asked: Asked) -> People:
    campaigns = asked.bound(f"{who}_campaigns", expanding=True)
    listed = sa.select(Recipient.person_id).where(Recipient.campaign_id.in_(campaigns))
    if who is Reached.PLANNED:
        return listed.where(Recipient.in_final.is_(True))
    states = _MAY_HAVE_IT if who is Reached.SENT else (RecipientState.DELIVERED,)
    return listed.where(Recipient.state.in_(states))


def _reached_then(who: Reached, asked: Asked) -> People:
    """Return whom the campaigns' lists held, or their messages had reached, at the moment."""
    campaigns = asked.bound(f"{who}_campaigns", expanding=True)
    if who is Reached.PLANNED:
        # Until it is sent a campaign's list is its estimate.
        listed = sa.case(
            (Campaign.final_at > asked.moment, Recipient.in_estimate), else_=Recipient.in_final
        )
        return (
            sa.select(Recipient.person_id)
            .join(Campaign, Campaign.id == Recipient.campaign_id)
            .where(
                Recipient.campaign_id.in_(campaigns),
                Campaign.frozen_at <= asked.moment,
                listed.is_(True),
            )
        )
    attempted = sa.select(Attempt.person_id).where(Attempt.campaign_id.in_(campaigns))
    if who is Reached.SENT:
        went_out = Attempt.outcome.in_(_WENT_OUT)
        return attempted.where(went_out, Attempt.finished_at <= asked.moment)
    known_at = sa.func.coalesce(Attempt.receipt_at, Attempt.finished_at)
    delivered = Attempt.outcome == RecipientState.DELIVERED
    return attempted.where(delivered, known_at <= asked.moment)


def _called(choice: CampaignChoice, names: Names) -> str:
    return f"“{names.campaigns.get(choice.id, choice.id)}”"


def _says(criteria: Criteria, names: Names) -> str:
    clauses = []
    for who in Reached:
        called = [_called(one, names) for one in criteria.exclude_campaigns if one.who == who]
        if called:
            clauses.append(f"who were not {_REACHED_WORDS[who]} {either(called)}")
    return ", ".join(clauses)


def _all(criteria: Criteria, names: Names) -> str:
    return either([_called(choice, names) for choice in criteria.exclude_campaigns], _NAMED)


def _take(form: FormData, name: str) -> tuple[CampaignChoice, ...]:
    reached = {str(who): who for who in Reached}
    found = []
    for text in form.getlist(name):
        if is_number(text):
            who = reached.get(form.get(f"reached_{int(text)}", ""), Reached.PLANNED)
            found.append(CampaignChoice(int(text), who))
    return tuple(dict.fromkeys(found))


def _read_word(text: str) -> dict[str, Any]:
    number, colon, who = text.partition(":")
    if not is_number(number) or (colon and who not in list(Reached)):
        raise ValueError(
            f"{text!r} can't be read; write a campaign's number, "
            f"alone or with one of {', '.join(Reached)}: 12:sent."
        )
    return {"id": int(number), "who": who or Reached.PLANNED.value}


EXCLUDE_CAMPAIGNS = Criterion(
    key="exclude_campaigns",
    holds=("exclude_campaigns",),
    suffices=False,
    read=_read,
    write=_write,
    check=nothing_wrong,
    mentions=lambda criteria: Mentions(
        campaigns=tuple(choice.id for choice in criteria.exclude_campaigns)
    ),
    opening=None,
    says=_says,
    rules=(
        Rule(
            key="exclude_campaigns",
            noun="an earlier campaign",
            bind=_bind,
            now=_reached,
            history=Recorded(
                then=_reached_before,
                moves=Moved(
                    joined=(
                        "no_longer_excluded",
                        "is no longer excluded",
                        "are no longer excluded",
                    ),
                    left=(
                        Reason.EXCLUDED_CAMPAIGN.key,
                        "is of an excluded campaign",
                        "are of excluded campaigns",
                    ),
                ),
            ),
            implies=(),
            step=Reason.EXCLUDED_CAMPAIGN,
            proved_by=lambda wanted, met: (
                set(wanted.exclude_campaigns) <= set(met.exclude_campaigns)
            ),
            asks=lambda criteria, names: f"nobody of {_all(criteria, names)}",
            came=lambda criteria, names: f"no longer of {_all(criteria, names)}, which is left out",
            went=lambda criteria, names: f"now of {_all(criteria, names)}, which is left out",
            reads=(),
            shows=shows_nothing,
            lacks=lambda stored: Lack(
                f"{stored.verb} of {_all(stored.criteria, stored.names)}, which is left out"
            ),
        ),
    ),
    form=Field(
        ways=EVERY_WAY,
        place="leave_out",
        template="campaigns/_exclusions.html",
        inputs={"exclude_campaigns": _take},
        fill=lambda criteria: {"exclude_campaigns": criteria.exclude_campaigns},
        read=lambda values: [choice.to_json() for choice in values["exclude_campaigns"]],
    ),
    option=Option(
        "--exclude-campaign",
        "text",
        True,
        "ID[:planned|sent|delivered]",
        "Leave out the people of this campaign (default: all on its list).",
        lambda texts: list(map(_read_word, texts)),
    ),
    given=Given(list[CampaignGiven], MAX_EXCLUSIONS, "Leave out the people of these campaigns."),
)
