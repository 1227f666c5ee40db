"""TODO docstring."""

from dataclasses import dataclass

from rollcall.audience.criteria import (
    DEFAULT_WINDOW_HOURS,
    CampaignChoice,
    SegmentChoice,
)
from rollcall.campaigns.dry_run import USUAL_MESSAGES
from rollcall.models import (
    AudienceMode,
    Channel,
    OnFailure,
    QuietHours,
    SnapshotMode,
)
from rollcall.people.picking import Missing


@dataclass(frozen=True)
class FormValues:
    """Every field as the page shows it; texts stay as they were typed."""

    name: str = ""
    channel: str = Channel.SMS
    subject: str = ""
    message: str = ""
    link: str = ""
    mode: str = "events"  # events, segment, people
    events: tuple[str, ...] = ()
    event_search: str = ""
    sources: tuple[str, ...] = ()
    segment: str = ""
    segment_version: str = ""  # empty for the live one
    segment_search: str = ""
    segment_events: tuple[str, ...] = ()  # to which the people of the segment are narrowed
    snapshot_mode: str = SnapshotMode.REUSE
    bump_version: bool = False
    force_snapshot: bool = False
    r_min: str = ""
    r_max: str = ""
    f_min: str = ""
    f_max: str = ""
    m_min: str = ""
    m_max: str = ""
    cities: str = ""
    exclude_events: tuple[str, ...] = ()
    exclude_segments: tuple[SegmentChoice, ...] = ()
    exclude_campaigns: tuple[CampaignChoice, ...] = ()
    exclude_search: str = ""
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
    direction: str = AudienceMode.REPROCESS
    min_growth: str = ""
    limit_growth_percent: str = ""
    limit_ceiling: str = ""
    limit_minimum: str = ""
    limit_budget: str = ""
    dry_run: bool = False
    dry_run_address: str = ""
    dry_run_limit: str = str(USUAL_MESSAGES)
    test_phone: str = ""
    version: int | None = None
    sample: int | None = None
    unknown: tuple[tuple[str, str], ...] = ()
    missing: tuple[Missing, ...] = ()  # those of the unknown who can be added
    added: int = 0
    file_problem: str | None = None

    @property
    def scheduled(self) -> bool:
        """Return whether a time has been chosen."""
        return self.when == "later" and bool(self.scheduled_local_time)

    @property
    def may_reprocess(self) -> bool:
        """Return whether re-processing can be chosen: a time, and events or a segment (C5)."""
        chosen = {"events": bool(self.events), "segment": bool(self.segment)}
        return self.scheduled and chosen.get(self.mode, False)

    @property
    def leaves_out(self) -> bool:
        """Return whether somebody is to be left out by event, segment or earlier campaign."""
        return bool(self.exclude_events or self.exclude_segments or self.exclude_campaigns)
