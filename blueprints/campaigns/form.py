"""The campaign form: what was typed, kept as it was typed, and the draft that it means."""

import re
from dataclasses import asdict, dataclass, replace
from typing import Any
from zoneinfo import ZoneInfo

from werkzeug.datastructures import MultiDict

from blueprints.addresses import read_id
from rollcall.audience.criteria import (
    DEFAULT_WINDOW_HOURS,
    SCORES,
    Criteria,
    criteria_from_json,
)
from rollcall.campaigns.drafts import CampaignDraft, campaign_criteria
from rollcall.errors import InvalidInput
from rollcall.models import AudienceMode, Campaign, Channel, OnFailure, Organisation, QuietHours
from rollcall.people.picking import pick_people
from rollcall.walltime import repeated_moments

_SEPARATORS = re.compile(r"[\n\r,;\t]+")


@dataclass(frozen=True)
class FormValues:
    """Every field as the page shows it; texts stay as they were typed."""

    name: str = ""
    channel: str = Channel.SMS
    subject: str = ""
    message: str = ""
    link: str = ""
    mode: str = "events"  # events, people
    events: tuple[str, ...] = ()
    event_search: str = ""
    sources: tuple[str, ...] = ()
    r_min: str = ""
    r_max: str = ""
    f_min: str = ""
    f_max: str = ""
    m_min: str = ""
    m_max: str = ""
    cities: str = ""
    recent_message_hours: str = str(DEFAULT_WINDOW_HOURS)
    people: tuple[int, ...] = ()
    people_search: str = ""
    pasted: str = ""
    when: str = "later"  # now, later
    scheduled_local_time: str = ""
    scheduled_timezone: str = ""
    repeated: str = ""
    quiet_hours: str = QuietHours.WAIT
    not_after: str = ""
    reprocess: bool = False
    on_failure: str = OnFailure.FAIL
    version: int | None = None
    sample: int | None = None
    unknown: tuple[tuple[str, str], ...] = ()

    @property
    def scheduled(self) -> bool:
        """Return whether a time has been chosen."""
        return self.when == "later" and bool(self.scheduled_local_time)

    @property
    def may_reprocess(self) -> bool:
        """Return whether re-processing can be chosen: a time and an event are given (C5)."""
        return self.scheduled and self.mode == "events" and bool(self.events)


def blank_values(organisation: Organisation, event_slug: str = "") -> FormValues:
    """Return the form of a new campaign, with an event chosen where one is named."""
    events = (event_slug,) if event_slug else ()
    return FormValues(scheduled_timezone=organisation.timezone, events=events)


def values_of(campaign: Campaign) -> FormValues:
    """Return the form of a campaign; damaged criteria leave the audience to be chosen again."""
    try:
        criteria = campaign_criteria(campaign)
    except InvalidInput:
        criteria = Criteria()
    scores: Any = {
        f"{letter}_{end}": str(limit)
        for letter, limits in criteria.scores.items()
        for end, limit in (("min", limits.low), ("max", limits.high))
    }
    return FormValues(
        name=campaign.name,
        channel=campaign.channel,
        subject=campaign.subject,
        message=campaign.message,
        link=campaign.link,
        mode="people" if criteria.people is not None else "events",
        events=criteria.events,
        sources=tuple(source.key for source in criteria.sources),
        cities=", ".join(criteria.cities),
        recent_message_hours=str(criteria.window_hours),
        people=criteria.people or (),
        when="later" if campaign.scheduled_at else "now",
        scheduled_local_time=campaign.scheduled_local_time or "",
        scheduled_timezone=campaign.scheduled_timezone or campaign.organisation.timezone,
        repeated=_repeated_choice(campaign),
        quiet_hours=campaign.quiet_hours,
        not_after=_not_after_text(campaign),
        reprocess=campaign.audience_mode == AudienceMode.REPROCESS,
        on_failure=campaign.on_failure,
        version=campaign.version,
        **scores,
    )


def read_values(form: MultiDict[str, str], organisation: Organisation) -> FormValues:
    """Return the form as it was sent; pasted people who are known are picked, others reported."""
    texts = _read_texts(form)
    texts["scheduled_timezone"] = texts["scheduled_timezone"].strip() or organisation.timezone
    more = form.get("more_people", "").split(",")
    ids = (read_id(text) for text in [*form.getlist("people"), *more])
    values = FormValues(
        **texts,
        events=tuple(dict.fromkeys(form.getlist("events"))),
        sources=tuple(form.getlist("sources")),
        people=tuple(sorted({number for number in ids if number is not None})),
        reprocess=form.get("reprocess") == "1",
        version=read_id(form.get("version")),
        sample=read_id(form.get("sample")),
    )
    return _pick_pasted(values, organisation) if values.mode == "people" else values


def _read_texts(form: MultiDict[str, str]) -> dict[str, Any]:
    # No database keeps a NUL, and nobody types one.
    return {
        name: form.get(name, default).replace("\0", "")
        for name, default in asdict(FormValues()).items()
        if isinstance(default, str)
    }


def draft_of(values: FormValues) -> CampaignDraft:
    """Return the draft that the form means; what can't be read is named in its problems."""
    problems: dict[str, str] = {}
    criteria = _read_criteria(values, problems)
    channel = values.channel if values.channel in list(Channel) else Channel.SMS
    if values.when == "later" and not values.scheduled_local_time:
        problems["scheduled_local_time"] = "Choose the date and time, or send it at once."
    quiet_hours = values.quiet_hours
    if quiet_hours not in list(QuietHours):
        problems["quiet_hours"] = f"Choose one of {', '.join(QuietHours)}."
        quiet_hours = QuietHours.WAIT
    if values.unknown:
        problems["pasted"] = "Not everybody of your list was found; see below the list."
    return CampaignDraft(
        name=values.name,
        channel=Channel(channel),
        subject=values.subject,
        message=values.message,
        link=values.link,
        criteria=criteria,
        audience_mode=AudienceMode.REPROCESS if values.reprocess else AudienceMode.FROZEN,
        on_failure=OnFailure.ESTIMATE if values.on_failure == "estimate" else OnFailure.FAIL,
        local_time=values.scheduled_local_time if values.scheduled else None,
        timezone=values.scheduled_timezone,
        repeated=values.repeated or None,
        quiet_hours=QuietHours(quiet_hours),
        not_after=values.not_after or None,
        problems=problems,
    )


def without_time_problem(draft: CampaignDraft) -> CampaignDraft:
    """Return the draft to be kept for later, which may still wait for its time."""
    if draft.local_time is not None:
        return draft
    problems = {
        name: text for name, text in draft.problems.items() if name != "scheduled_local_time"
    }
    return replace(draft, problems=problems)


def _pick_pasted(values: FormValues, organisation: Organisation) -> FormValues:
    words = [word.strip() for word in _SEPARATORS.split(values.pasted) if word.strip()]
    if not words:
        return replace(values, pasted="")
    picked = pick_people(organisation, words)
    return replace(
        values,
        people=tuple(sorted({*values.people, *picked.person_ids})),
        pasted="\n".join(word for word, _ in picked.unknown),
        unknown=picked.unknown,
    )


def _read_criteria(values: FormValues, problems: dict[str, str]) -> Criteria:
    data: dict[str, Any] = {"recent_message_hours": _whole_number(values.recent_message_hours)}
    if values.mode == "people":
        data["people"] = list(values.people)
        if not values.people and not values.unknown:
            problems["people"] = "Pick at least one person."
    else:
        data["events"] = list(values.events)
        # Both sources are the same as no limit on sources.
        data["sources"] = list(values.sources) if len(values.sources) == 1 else []
        data["cities"] = [city.strip() for city in values.cities.split(",") if city.strip()]
        data["rfm_filters"] = _read_scores(values, problems)
    try:
        return criteria_from_json(data)
    except InvalidInput as error:
        problems.update(error.fields)
    return criteria_from_json({key: data[key] for key in data if key not in problems})


def _read_scores(values: FormValues, problems: dict[str, str]) -> dict[str, list[int]]:
    found: dict[str, list[int]] = {}
    for letter, name in SCORES.items():
        low, high = getattr(values, f"{letter}_min"), getattr(values, f"{letter}_max")
        if not low.strip() and not high.strip():
            continue
        limits = [_whole_number(low or "1"), _whole_number(high or "5")]
        try:
            criteria_from_json({"rfm_filters": {letter: limits}})
        except InvalidInput:
            problems[letter] = (
                f"{name.capitalize()}: use whole numbers from 1 to 5, the lower one first, "
                "or leave both empty."
            )
        else:
            found[letter] = limits  # type: ignore[assignment]
    return found


def _whole_number(text: str) -> Any:
    """Return the number, or the text itself, which the criteria then refuse by its field."""
    stripped = text.strip()
    return int(stripped) if stripped.isdecimal() and len(stripped) < 10 else stripped


def _repeated_choice(campaign: Campaign) -> str:
    zone = campaign.scheduled_timezone or campaign.organisation.timezone
    for local, moment in (
        (campaign.scheduled_local_time or "", campaign.scheduled_at),
        (_not_after_text(campaign), campaign.not_after),
    ):
        both = repeated_moments(local, zone)
        if both is not None and moment is not None:
            return "later" if moment == both[1] else "earlier"
    return ""


def _not_after_text(campaign: Campaign) -> str:
    if campaign.not_after is None:
        return ""
    zone = campaign.scheduled_timezone or campaign.organisation.timezone
    return campaign.not_after.astimezone(ZoneInfo(zone)).strftime("%Y-%m-%dT%H:%M")
