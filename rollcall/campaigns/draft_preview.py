"""A campaign as the form shows it while it is written: who, how much, and what is wrong with it.

Where it should rather be re-processed it says so, and why (C7).
"""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from rollcall import clock
from rollcall.audience.criteria import Criteria
from rollcall.audience.criteria.table import TABLE
from rollcall.audience.preview import MessageText, Preview, preview_audience
from rollcall.audience.resolved import KnownEvent, Resolved, resolve
from rollcall.campaigns.drafts import CampaignDraft, check_draft
from rollcall.campaigns.segment_base import SnapshotChoice, resolve_to_freeze
from rollcall.errors import InvalidInput
from rollcall.messages.parts import MessageParts, count_parts
from rollcall.messages.placeholders import compile_template
from rollcall.messages.pricing import price_of_emails, price_of_parts
from rollcall.models import AudienceMode, Channel, Organisation, Role
from rollcall.segments.snapshots import read_snapshot_mode
from rollcall.walltime import repeated_moments, resolve_wall_time
from rollcall.wording import say_time


@dataclass(frozen=True)
class Suggestion:
    """An event whose people would still be coming in between now and the moment of sending."""

    event: KnownEvent
    moment: datetime
    zone: str

    def sentence(self) -> str:
        """Return why the audience should be computed again, to somebody who plans the campaign."""
        return (
            f"{self.event.name} ends {say_time(self.event.ends_at, self.event.timezone)}, and "
            f"your message goes out {say_time(self.moment, self.zone)}: people who arrive by "
            "then get it only if the audience is re-processed."
        )


def suggest_reprocessing(
    organisation_id: int,
    criteria: Criteria,
    mode: AudienceMode,
    moment: datetime | None,
    zone: str,
    known: Resolved | None = None,
) -> Suggestion | None:
    """Return why to re-process, or None where nothing speaks for it or it is chosen already.

    `known` is what the criteria name, where that has been looked up already. It is suggested
    when a chosen event is not over yet and ends before `moment`; of several such events the one
    that ends last is named.
    """
    if moment is None or mode.computes_again or not criteria.can_be_computed_again:
        return None
    now = clock.now()
    known = known or resolve(organisation_id, criteria)
    chosen = known.find_events(criteria.events)
    coming = [event for event in chosen if now < event.ends_at <= moment]
    if not coming:
        return None
    return Suggestion(max(coming, key=lambda event: event.ends_at), moment, zone)


AUDIENCE_FIELDS = frozenset(
    [
        *(name for row in TABLE for name in (row.key, *row.form.inputs)),
        *("criteria", "snapshot_mode", "bump_version"),
    ]
)


@dataclass(frozen=True)
class DraftPreview:
    """What a draft would do if it were sent at its time.

    `audience` is None while the audience is not chosen or can't be read; `moment` is None for
    sending now; `problems` maps fields to what keeps the draft from being scheduled; `criteria`
    are those that were evaluated: on the snapshot that scheduling would reuse.
    """

    draft: CampaignDraft
    criteria: Criteria
    problems: dict[str, str]
    moment: datetime | None
    audience: Preview | None
    parts: MessageParts
    price_each: Decimal
    suggestion: Suggestion | None
    repeated: tuple[datetime, datetime] | None


def preview_draft(
    organisation: Organisation, draft: CampaignDraft, role: Role = Role.SUPER
) -> DraftPreview:
    """Return everything the form shows beside a draft to somebody of that role; stores nothing.

    Raises nothing for a draft that is not finished: what is wrong stands in `problems`.
    """
    known = resolve(organisation.id, draft.criteria)
    problems = _problems(known, draft, role)
    moment = _moment(draft)
    text, parts = _read_text(draft)
    audience, criteria = None, draft.criteria
    if not AUDIENCE_FIELDS & problems.keys():
        criteria, known = resolve_to_freeze(known, criteria, _snapshot_choice(draft))
        audience = preview_audience(organisation.id, criteria, draft.channel, moment, text, known)
    parts_each = max(parts.parts, audience.parts_each if audience else 1)
    return DraftPreview(
        draft=draft,
        criteria=criteria,
        problems=problems,
        moment=moment,
        audience=audience,
        parts=parts,
        price_each=(
            price_of_emails(1)
            if draft.channel == Channel.EMAIL
            else price_of_parts(organisation.country, parts_each)
        ),
        suggestion=suggest_reprocessing(
            organisation.id,
            draft.criteria,
            draft.audience_mode,
            moment,
            draft.timezone or organisation.timezone,
            known,
        ),
        repeated=(
            repeated_moments(draft.local_time or "", draft.timezone or "")
            or repeated_moments(draft.not_after or "", draft.timezone or "")
        ),
    )


def _snapshot_choice(draft: CampaignDraft) -> SnapshotChoice:
    mode = read_snapshot_mode(draft.snapshot_mode)
    return SnapshotChoice(mode, draft.bump_version, draft.force_snapshot)


def _problems(known: Resolved, draft: CampaignDraft, role: Role) -> dict[str, str]:
    try:
        check_draft(known.organisation_id, draft, role, known)
    except InvalidInput as error:
        return error.fields
    return {}


def _moment(draft: CampaignDraft) -> datetime | None:
    if not draft.local_time:
        return None
    try:
        moment = resolve_wall_time(draft.local_time, draft.timezone or "", draft.repeated)
    except InvalidInput:
        return None
    return moment if moment > clock.now() else None


def _read_text(draft: CampaignDraft) -> tuple[MessageText, MessageParts]:
    # A text with a wrong placeholder is shown and counted as it stands.
    message, subject = draft.message.replace("\r\n", "\n"), draft.subject
    try:
        parts = count_parts(compile_template(message).sample(draft.link))
    except InvalidInput:
        parts, message = count_parts(message), ""
    try:
        compile_template(subject, "subject")
    except InvalidInput:
        subject = ""
    return MessageText(subject, message, draft.link), parts
