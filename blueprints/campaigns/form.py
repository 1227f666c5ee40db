"""The campaign form: what was typed, kept as it was typed, and the draft that it means."""

from dataclasses import asdict, replace
from typing import Any
from zoneinfo import ZoneInfo

from werkzeug.datastructures import FileStorage, MultiDict

from blueprints.addresses import read_id
from blueprints.campaigns.form_limits import read_reprocessing, reprocess_values
from blueprints.campaigns.form_picking import pick_listed
from blueprints.campaigns.form_trying import dry_run_values, read_dry_run
from blueprints.campaigns.form_values import FormValues, chosen_by
from rollcall.audience.criteria import Criteria, campaign_criteria, criteria_from_json
from rollcall.audience.criteria.criterion import EVERY_WAY
from rollcall.audience.criteria.table import TABLE
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
    values = FormValues(
        scheduled_timezone=organisation.timezone,
        mode="segment" if segment_slug and not event_slug else "events",
    )
    return values.with_chosen(events=(event_slug,) if event_slug else (), segment=segment_slug)


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
    mode = "people" if criteria.people is not None else "segment" if by_segment else "events"
    return {"mode": mode, "chosen": chosen_by(criteria)}


def _segment_values(campaign: Campaign, criteria: Criteria) -> dict[str, Any]:
    if criteria.segment is None or criteria.people is not None:
        return {}
    return {
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
    inputs = {name: take for row in TABLE for name, take in row.form.inputs.items()}
    values = FormValues(
        **texts,
        chosen={name: take(form, name) for name, take in inputs.items()},
        bump_version=form.get("bump_version") == "1",
        force_snapshot=form.get("force_snapshot") == "1",
        reprocess=form.get("reprocess") == "1",
        dry_run=form.get("dry_run") == "1",
        version=read_id(form.get("version")),
        sample=read_id(form.get("sample")),
    )
    return pick_listed(values, organisation, file) if values.mode == "people" else values


def _read_texts(form: MultiDict[str, str]) -> dict[str, Any]:
    # No database keeps a NUL, and nobody types one.
    texts = {
        name: form.get(name, default).replace("\0", "")
        for name, default in asdict(FormValues()).items()
        if isinstance(default, str)
    }
    return texts if texts["mode"] in EVERY_WAY else {**texts, "mode": "events"}


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
    """Return the criteria that the inputs mean by the way of choosing that is on."""
    data: dict[str, Any] = {}
    for row in TABLE:
        if values.mode in row.form.ways:
            try:
                data[row.key] = row.form.read(values)
            except InvalidInput as error:
                problems.update(error.fields)
    try:
        return criteria_from_json(data)
    except InvalidInput as error:
        problems.update(error.fields)
    return criteria_from_json({key: data[key] for key in data if key not in problems})


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
