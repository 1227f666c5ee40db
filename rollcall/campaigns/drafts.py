"""Campaigns as they are written: what a form, a command or the API gives, checked and stored."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

import sqlalchemy as sa
from sqlalchemy.orm import joinedload

from rollcall import clock
from rollcall.actors import Actor, record
from rollcall.audience.criteria import Criteria, check_chooses_somebody, criteria_to_text
from rollcall.audience.estimate import drop_list
from rollcall.audience.membership import read_shape
from rollcall.audience.named import store_campaign_names
from rollcall.audience.resolved import Resolved, resolve
from rollcall.campaigns.dry_run import check_dry_run
from rollcall.campaigns.guards import check_not_looser, read_limits, role_limits
from rollcall.campaigns.states import change_state, is_allowed
from rollcall.errors import InvalidInput, NotFound
from rollcall.extensions import db, write
from rollcall.messages.placeholders import compile_template
from rollcall.models import (
    AudienceMode,
    Campaign,
    CampaignState,
    Channel,
    OnFailure,
    Organisation,
    QuietHours,
    Role,
)
from rollcall.people.picking import check_people_exist
from rollcall.segments.snapshots import PINNED_BUMP, read_snapshot_mode
from rollcall.walltime import resolve_wall_time

NEEDS_TIME = "Audience reprocessing requires a scheduled send time"
NEEDS_EVENTS = "Audience reprocessing requires event selection"
NEEDS_ADMIN = (
    "To send in people's quiet hours takes the role admin or above: "
    "let them wait, or leave them out."
)
NOT_ITSELF = "A campaign can't leave out its own people: choose other campaigns."
TOO_LATE = "Nothing may go out after this time, so it must lie after the time of sending."
MOST_GROWTH = 100_000
MAX_MESSAGE = 5_000
MAX_EMAIL = 100_000


@dataclass(frozen=True)
class CampaignDraft:
    """All that staff decide about a campaign.

    `local_time` is wall-clock time in `timezone` ("2026-11-29T10:00"), None while it is not
    chosen; `repeated` says which one is meant where that time comes twice. After `not_after`,
    on the same clock, nothing goes out any more; `repeated` speaks for it too, unless
    `not_after_repeated` does. Of e-mails quiet hours mean nothing. On a segment,
    `snapshot_mode` ("reuse", "refresh") says which snapshot the list is frozen from;
    `bump_version` and `force_snapshot` are done once, when it is frozen. Re-processing is used
    where the audience grew by at least `min_growth` percent; `guard_limits` are the campaign's
    own, by the names of `rollcall.campaigns.guards`, and not looser than the role allows. With a
    `dry_run_address` it is a dry run, which sends `dry_run_limit` messages there and to nobody
    else.
    """

    name: str
    channel: Channel
    message: str
    criteria: Criteria
    subject: str = ""
    link: str = ""
    audience_mode: AudienceMode = AudienceMode.FROZEN
    on_failure: OnFailure = OnFailure.FAIL
    local_time: str | None = None
    timezone: str | None = None
    repeated: str | None = None
    quiet_hours: QuietHours = QuietHours.WAIT
    not_after: str | None = None
    not_after_repeated: str | None = None
    snapshot_mode: str | None = None
    bump_version: bool = False
    force_snapshot: bool = False
    min_growth: int | None = None
    guard_limits: Mapping[str, Any] | None = None
    dry_run_address: str | None = None
    dry_run_limit: int | None = None
    problems: dict[str, str] = field(default_factory=dict)


def find_campaign(organisation_id: int, campaign_id: int) -> Campaign:
    """Return the organisation's campaign; raises NotFound."""
    campaign = db.session.scalar(
        sa.select(Campaign)
        .where(Campaign.id == campaign_id, Campaign.organisation_id == organisation_id)
        .options(joinedload(Campaign.organisation))
    )
    if campaign is None:
        raise NotFound(f"There is no campaign {campaign_id}.")
    return campaign


def create_campaign(actor: Actor, draft: CampaignDraft) -> int:
    """Store a draft and return its id; raises InvalidInput naming every field that is wrong."""
    values = check_draft(actor.organisation_id, draft, actor.role)
    with write():
        now = clock.now()
        campaign = Campaign(
            organisation_id=actor.organisation_id,
            created_at=now,
            updated_at=now,
            created_by_id=actor.staff_id,
            **values,
        )
        db.session.add(campaign)
        db.session.flush()
        store_campaign_names(actor.organisation_id, campaign.id, campaign.targeting_criteria)
        record(actor, "campaign.create", "campaign", campaign.id, after=_audited(values))
        return campaign.id


def edit_campaign(
    actor: Actor, campaign_id: int, draft: CampaignDraft, version: int | None = None
) -> None:
    """Replace what staff decided; a scheduled campaign goes back to draft and loses its list (C10).

    Raises Conflict when it has begun to be sent, or is no longer at `version`.
    """
    campaign = find_campaign(actor.organisation_id, campaign_id)
    before = _audited_campaign(campaign)
    held = is_held(campaign)
    # Only as it was read: a held one may be decided on at this moment.
    version = campaign.version if held and version is None else version
    if campaign_id in {choice.id for choice in draft.criteria.exclude_campaigns}:
        draft = replace(draft, problems={**draft.problems, "exclude_campaigns": NOT_ITSELF})
    values = check_draft(actor.organisation_id, draft, actor.role)
    with write():
        change_state(
            actor,
            campaign_id,
            "edit_held" if held else "edit",
            version=version,
            held_for=None,
            state_note="",
            frozen_at=None,
            estimated_recipients=None,
            estimate_snapshot=None,
            scheduled_by_id=None,
            segment_snapshot_id=None,
            guard_verdict=None,
            **values,
        )
        drop_list(campaign_id)
        record(
            actor,
            "campaign.edit",
            "campaign",
            campaign_id,
            before=before,
            after=_audited(values),
        )


def is_held(campaign: Campaign) -> bool:
    """Return whether the campaign waits for a decision because its event was changed."""
    return campaign.state == CampaignState.NEEDS_REVIEW and campaign.held_for is not None


def may_edit(campaign: Campaign) -> bool:
    """Return whether the campaign can be edited: it has not begun to go out."""
    return is_allowed("edit", campaign.state) or is_held(campaign)


def may_choose(role: Role, quiet_hours: QuietHours) -> bool:
    """Return whether the role may let a campaign do this about quiet hours."""
    return quiet_hours != QuietHours.OVERRIDE or role.at_least(Role.ADMIN)


def check_draft(
    organisation_id: int, draft: CampaignDraft, role: Role, known: Resolved | None = None
) -> dict[str, Any]:
    """Return the columns to store for somebody of that role.

    `known` is what the criteria name, where that has been looked up already. Raises
    InvalidInput naming every field that is wrong.
    """
    problems = dict(draft.problems)
    email = draft.channel == Channel.EMAIL
    if not email and not may_choose(role, draft.quiet_hours):
        problems.setdefault("quiet_hours", NEEDS_ADMIN)
    _check_texts(draft, problems)
    known = known or resolve(organisation_id, draft.criteria)
    _check_audience(known, draft, problems)
    on_segment = _check_segment(known, draft, problems)
    scheduled_at = _check_time(draft, problems)
    not_after = _check_not_after(draft, scheduled_at, problems)
    _check_mode(draft, problems)
    limits = _check_limits(organisation_id, draft, role, problems)
    trying = _check_dry_run(organisation_id, draft, problems)
    if problems:
        raise InvalidInput(problems)
    return {
        "name": draft.name.strip(),
        "channel": draft.channel,
        "subject": draft.subject.strip() if email else "",
        "message": _with_plain_line_ends(draft.message),
        "link": draft.link.strip(),
        "targeting_criteria": criteria_to_text(draft.criteria),
        "audience_mode": draft.audience_mode,
        "on_failure": draft.on_failure,
        "min_growth": draft.min_growth if draft.audience_mode.computes_again else None,
        "guard_limits": limits,
        "quiet_hours": QuietHours.WAIT if email else draft.quiet_hours,
        "not_after": not_after,
        "scheduled_at": scheduled_at,
        "scheduled_timezone": draft.timezone if scheduled_at else None,
        "scheduled_local_time": draft.local_time if scheduled_at else None,
        **on_segment,
        **trying,
    }


def _with_plain_line_ends(text: str) -> str:
    # Browsers send two characters for a new line, and each would be paid for.
    return text.replace("\r\n", "\n").replace("\r", "\n")


def _check_texts(draft: CampaignDraft, problems: dict[str, str]) -> None:
    email = draft.channel == Channel.EMAIL
    limit = MAX_EMAIL if email else MAX_MESSAGE
    if not draft.name.strip():
        problems.setdefault("name", "Give the campaign a name; only staff see it.")
    elif len(draft.name.strip()) > 200:
        problems.setdefault("name", "Use at most 200 characters.")
    if not draft.message.strip():
        problems.setdefault("message", "Write the message.")
    elif len(draft.message) > limit:
        problems.setdefault("message", f"Use at most {limit:,} characters.")
    if email and not draft.subject.strip():
        problems.setdefault("subject", "An e-mail needs a subject.")
    elif len(draft.subject.strip()) > 300 or "\n" in draft.subject.strip():
        problems.setdefault("subject", "Use one line of at most 300 characters.")
    for name in ("message", "subject"):
        if name in problems:
            continue
        try:
            compile_template(getattr(draft, name), name)
        except InvalidInput as error:
            problems[name] = error.fields[name]
    _check_link(draft, problems)


def _check_link(draft: CampaignDraft, problems: dict[str, str]) -> None:
    link = draft.link.strip()
    if not link:
        if "%%link%%" in f"{draft.message} {draft.subject}".lower():
            problems.setdefault("link", "The message says %%LINK%%: give the address it leads to.")
        return
    try:
        parts = urlsplit(link)
        usable = parts.scheme in ("http", "https") and parts.hostname
    except ValueError:
        usable = False
    if not usable or len(link) > 1000 or any(character.isspace() for character in link):
        problems.setdefault("link", "Give a web address that begins with https://.")


def _check_audience(known: Resolved, draft: CampaignDraft, problems: dict[str, str]) -> None:
    try:
        check_chooses_somebody(draft.criteria)
        read_shape(known.organisation_id, draft.criteria, known=known)
        if draft.criteria.people is not None:
            check_people_exist(known.organisation_id, draft.criteria.people)
    except InvalidInput as error:
        for name, text in error.fields.items():
            problems.setdefault(name, text)


def _check_segment(
    known: Resolved, draft: CampaignDraft, problems: dict[str, str]
) -> dict[str, Any]:
    """Return the columns that say how the campaign uses its segment."""
    values: dict[str, Any] = {"segment_id": None, "snapshot_mode": None}
    values |= {"bump_version": False, "force_snapshot": False}
    try:
        mode = read_snapshot_mode(draft.snapshot_mode)
    except InvalidInput as error:
        problems |= error.fields
        return values
    chosen = draft.criteria.segment
    asked = {
        "snapshot_mode": draft.snapshot_mode,
        "bump_version": draft.bump_version,
        "force_snapshot": draft.force_snapshot,
    }
    if chosen is None:
        for name in filter(asked.get, asked):
            problems.setdefault(name, "This is for campaigns on a segment: choose one first.")
        return values
    if chosen.snapshot is not None:
        problems.setdefault("segment", "Choose a version of the segment; it has its own snapshot.")
    elif draft.bump_version and chosen.version is not None:
        problems.setdefault("bump_version", PINNED_BUMP)
    elif "segment" not in problems:
        segment_id = known.find_version(chosen).segment_id
        values |= {**asked, "snapshot_mode": mode, "segment_id": segment_id}
    return values


def _check_time(draft: CampaignDraft, problems: dict[str, str]) -> datetime | None:
    if draft.local_time is None:
        return None
    try:
        moment = resolve_wall_time(
            draft.local_time,
            draft.timezone or "",
            draft.repeated,
            field="scheduled_local_time",
            timezone_field="scheduled_timezone",
        )
    except InvalidInput as error:
        for name, text in error.fields.items():
            problems.setdefault(name, text)
        return None
    if moment <= clock.now():
        problems.setdefault(
            "scheduled_local_time", "This time has passed: choose one that is still to come."
        )
    return moment


def _check_not_after(
    draft: CampaignDraft, scheduled_at: datetime | None, problems: dict[str, str]
) -> datetime | None:
    if draft.not_after is None:
        return None
    try:
        moment = resolve_wall_time(
            draft.not_after,
            draft.timezone or "",
            draft.not_after_repeated or draft.repeated,
            field="not_after",
            timezone_field="scheduled_timezone",
        )
    except InvalidInput as error:
        for name, text in error.fields.items():
            problems.setdefault(name, text)
        return None
    if moment <= clock.now():
        problems.setdefault("not_after", "This time has passed: choose one that is still to come.")
    elif scheduled_at is not None and moment <= scheduled_at:
        problems.setdefault("not_after", TOO_LATE)
    return moment


def _check_mode(draft: CampaignDraft, problems: dict[str, str]) -> None:
    if draft.min_growth is not None and not 0 <= draft.min_growth <= MOST_GROWTH:
        problems.setdefault("min_growth", f"Give whole percent from 0 to {MOST_GROWTH:,}.")
    if not draft.audience_mode.computes_again:
        return
    if draft.local_time is None:
        problems.setdefault("audience_mode", NEEDS_TIME)
    elif not draft.criteria.can_be_computed_again:
        problems.setdefault("audience_mode", NEEDS_EVENTS)


def _check_limits(
    organisation_id: int, draft: CampaignDraft, role: Role, problems: dict[str, str]
) -> dict[str, Any] | None:
    if not draft.guard_limits or not draft.audience_mode.computes_again:
        return None
    organisation = db.session.get_one(Organisation, organisation_id)
    try:
        limits = read_limits(draft.guard_limits)
        check_not_looser(limits, role_limits(role, organisation.guard_limits))
    except InvalidInput as error:
        for name, text in error.fields.items():
            problems.setdefault(name, text)
        return None
    return limits


def _check_dry_run(
    organisation_id: int, draft: CampaignDraft, problems: dict[str, str]
) -> dict[str, Any]:
    organisation = db.session.get_one(Organisation, organisation_id)
    try:
        return check_dry_run(
            organisation, draft.channel, draft.dry_run_address, draft.dry_run_limit
        )
    except InvalidInput as error:
        for name, text in error.fields.items():
            problems.setdefault(name, text)
        return {}


def _audited(values: dict[str, Any]) -> dict[str, Any]:
    moments = {name: values.get(name) for name in ("scheduled_at", "not_after")}
    said = {name: moment.isoformat() if moment else None for name, moment in moments.items()}
    return {**values, **said}


def _audited_campaign(campaign: Campaign) -> dict[str, Any]:
    names = (
        *("name", "channel", "subject", "message", "link", "targeting_criteria"),
        *("audience_mode", "on_failure", "quiet_hours", "not_after"),
        *("scheduled_at", "scheduled_timezone", "scheduled_local_time"),
        *("segment_id", "snapshot_mode", "bump_version", "force_snapshot"),
        *("min_growth", "guard_limits", "dry_run_address", "dry_run_limit"),
    )
    return _audited({name: getattr(campaign, name) for name in names})
