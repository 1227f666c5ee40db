"""The campaign form: what was typed, kept as it was typed, and the draft that it means."""

from dataclasses import asdict, replace
from typing import Any
from zoneinfo import ZoneInfo

from werkzeug.datastructures import FileStorage, MultiDict

from blueprints.addresses import read_id
from blueprints.campaigns.form_limits import read_reprocessing, reprocess_values
from blueprints.campaigns.form_picking import pick_listed
from blueprints.campaigns.form_trying import dry_run_values, read_dry_run
from blueprints.campaigns.form_values import FormValues
from rollcall.audience.criteria import (
    SCORES,
    CampaignChoice,
    Criteria,
    Reached,
    SegmentChoice,
    campaign_criteria,
    criteria_from_json,
)
from rollcall.campaigns.drafts import CampaignDraft
from rollcall.errors import InvalidInput
from rollcall.models import (
    Campaign,
    Channel,
    OnFailure,
    Organisation,
    QuietHours,
    SnapshotMode,
)
from rollcall.walltime import repeated_moments


def blank_values(
    organisation: Organisation, event_slug: str = "", segment_slug: str = ""
) -> FormValues:
    """Return the form of a new campaign, with an event or a segment chosen where one is named."""
    return FormValues(
        scheduled_timezone=organisation.timezone,
        mode="segment" if segment_slug and not event_slug else "events",
        events=(event_slug,) if event_slug else (),
        segment=segment_slug,
    )


def values_of(campaign: Campaign) -> FormValues:
    """Return the form of a campaign; damaged criteria leave the audience to be chosen again."""
    try:
        criteria = campaign_criteria(campaign)
    except InvalidInput:
        criteria = Criteria()
    return FormValues(
        name=campaign.name,
        channel=campaign.channel,
        subject=campaign.subject,
        message=campaign.message,
        link=campaign.link,
        **criteria_values(criteria),
        **_segment_values(campaign, criteria),
        recent_message_hours=str(criteria.window_hours),
        when="later" if campaign.scheduled_at else "now",
        scheduled_local_time=campaign.scheduled_local_time or "",
        scheduled_timezone=campaign.scheduled_timezone or campaign.organisation.timezone,
        repeated=_repeated_choice(campaign),
        quiet_hours=campaign.quiet_hours,
        not_after=_not_after_text(campaign),
        on_failure=campaign.on_failure,
        **reprocess_values(campaign),
        **dry_run_values(campaign),
        version=campaign.version,
    )


def criteria_values(criteria: Criteria) -> dict[str, Any]:
    """Return the fields that say by what people are chosen and who is left out."""
    by_segment = criteria.segment is not None and criteria.people is None
    scores = {
        f"{letter}_{end}": str(limit)
        for letter, limits in criteria.scores.items()
        for end, limit in (("min", limits.low), ("max", limits.high))
    }
    return {
        "mode": "people" if criteria.people is not None else "segment" if by_segment else "events",
        "events": () if criteria.segment else criteria.events,
        "sources": tuple(source.key for source in criteria.sources),
        "cities": ", ".join(criteria.cities),
        "people": criteria.people or (),
        "exclude_events": criteria.exclude_events,
        "exclude_segments": criteria.exclude_segments,
        "exclude_campaigns": criteria.exclude_campaigns,
        **scores,
    }


def _segment_values(campaign: Campaign, criteria: Criteria) -> dict[str, Any]:
    if criteria.segment is None or criteria.people is not None:
        return {}
    return {
        "segment": criteria.segment.slug,
        "segment_version": str(criteria.segment.version or ""),
        "segment_events": criteria.events,
        "snapshot_mode": campaign.snapshot_mode or SnapshotMode.REUSE,
        "bump_version": campaign.bump_version,
        "force_snapshot": campaign.force_snapshot,
    }


def read_values(
    form: MultiDict[str, str], organisation: Organisation, file: FileStorage | None = None
) -> FormValues:
    """Return the form as it was sent, with `file` as the CSV of people that came with it.

    Those of a pasted list and of the file who are known are picked, others reported.
    """
    texts = _read_texts(form)
    texts["scheduled_timezone"] = texts["scheduled_timezone"].strip() or organisation.timezone
    more = form.get("more_people", "").split(",")
    ids = (read_id(text) for text in [*form.getlist("people"), *more])
    values = FormValues(
        **texts,
        events=_read_slugs(form, "events"),
        sources=tuple(form.getlist("sources")),
        people=tuple(sorted({number for number in ids if number is not None})),
        segment_events=_read_slugs(form, "segment_events"),
        bump_version=form.get("bump_version") == "1",
        force_snapshot=form.get("force_snapshot") == "1",
        **_read_exclusions(form),
        reprocess=form.get("reprocess") == "1",
        dry_run=form.get("dry_run") == "1",
        version=read_id(form.get("version")),
        sample=read_id(form.get("sample")),
    )
    return pick_listed(values, organisation, file) if values.mode == "people" else values


def _read_slugs(form: MultiDict[str, str], name: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(form.getlist(name)))


def _read_exclusions(form: MultiDict[str, str]) -> dict[str, Any]:
    numbers = [read_id(text) for text in form.getlist("exclude_campaigns")]
    reached = {str(who): who for who in Reached}
    campaigns = [
        CampaignChoice(number, reached.get(form.get(f"reached_{number}", ""), Reached.PLANNED))
        for number in numbers
        if number is not None
    ]
    return {
        "exclude_events": _read_slugs(form, "exclude_events"),
        "exclude_segments": tuple(
            dict.fromkeys(map(_read_segment, form.getlist("exclude_segments")))
        ),
        "exclude_campaigns": tuple(dict.fromkeys(campaigns)),
    }


def _read_segment(text: str) -> SegmentChoice:
    slug, _, version = text.partition("@")
    return SegmentChoice(slug, read_id(version))


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
    if values.file_problem:
        problems["people_file"] = values.file_problem
    by_segment = values.mode == "segment"
    return CampaignDraft(
        name=values.name,
        channel=Channel(channel),
        subject=values.subject,
        message=values.message,
        link=values.link,
        criteria=criteria,
        **read_reprocessing(values, problems),
        **read_dry_run(values, problems),
        on_failure=OnFailure.ESTIMATE if values.on_failure == "estimate" else OnFailure.FAIL,
        local_time=values.scheduled_local_time if values.scheduled else None,
        timezone=values.scheduled_timezone,
        repeated=values.repeated or None,
        quiet_hours=QuietHours(quiet_hours),
        not_after=values.not_after or None,
        snapshot_mode=values.snapshot_mode if by_segment else None,
        bump_version=values.bump_version and by_segment,
        force_snapshot=values.force_snapshot and by_segment,
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


def _read_criteria(values: FormValues, problems: dict[str, str]) -> Criteria:
    data: dict[str, Any] = {
        "recent_message_hours": _whole_number(values.recent_message_hours),
        "exclude_events": list(values.exclude_events),
        "exclude_segments": [choice.to_json() for choice in values.exclude_segments],
        "exclude_campaigns": [choice.to_json() for choice in values.exclude_campaigns],
        **_read_base(values, problems),
    }
    try:
        return criteria_from_json(data)
    except InvalidInput as error:
        problems.update(error.fields)
    return criteria_from_json({key: data[key] for key in data if key not in problems})


def _read_base(values: FormValues, problems: dict[str, str]) -> dict[str, Any]:
    """Return the criteria that choose people, by the way of choosing that is on."""
    if values.mode == "people":
        if not (values.people or values.unknown or values.file_problem):
            problems["people"] = "Pick at least one person."
        return {"people": list(values.people)}
    events = values.segment_events if values.mode == "segment" else values.events
    data: dict[str, Any] = {
        "events": list(events),
        # Both sources are the same as no limit on sources.
        "sources": list(values.sources) if len(values.sources) == 1 else [],
        "cities": [city.strip() for city in values.cities.split(",") if city.strip()],
        "rfm_filters": _read_scores(values, problems),
    }
    if values.mode == "segment":
        if not values.segment:
            problems["segment"] = "Choose a segment."
            return data
        version = values.segment_version.strip()
        data["segment"] = {"slug": values.segment, "version": read_id(version)}
        if version and read_id(version) is None:
            problems["segment"] = "Choose one of the segment's versions, or the live one."
        if not events:
            # A source says something only of an event, and none narrows this segment.
            data["sources"] = []
    return data


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
