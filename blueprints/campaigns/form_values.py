"""Every field of the campaign form, as the page shows it."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from rollcall.audience.criteria import Criteria
from rollcall.audience.criteria.criterion import Criterion, Place, Way
from rollcall.audience.criteria.table import TABLE
from rollcall.campaigns.dry_run import USUAL_MESSAGES
from rollcall.models import (
    AudienceMode,
    Channel,
    OnFailure,
    QuietHours,
    SnapshotMode,
)
from rollcall.people.picking import Missing


def chosen_by(criteria: Criteria) -> dict[str, Any]:
    """Return what the inputs of all criteria show of these."""
    return {name: value for row in TABLE for name, value in row.form.fill(criteria).items()}


@dataclass(frozen=True)
class FormValues:
    """Every field as the page shows it; texts stay as they were typed.

    What the inputs of the criteria hold is `chosen`; `values["cities"]` gives one of them, or any
    other field, to templates and to the rows of the table.
    """

    name: str = ""
    channel: str = Channel.SMS
    subject: str = ""
    message: str = ""
    link: str = ""
    mode: Way = "events"
    chosen: Mapping[str, Any] = field(default_factory=lambda: chosen_by(Criteria()))
    event_search: str = ""
    segment_search: str = ""
    snapshot_mode: str = SnapshotMode.REUSE
    bump_version: bool = False
    force_snapshot: bool = False
    exclude_search: str = ""
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

    def __getitem__(self, name: str) -> Any:
        """Return an input of a criterion, or another field."""
        return self.chosen[name] if name in self.chosen else getattr(self, name)

    def with_chosen(self, **changes: Any) -> "FormValues":
        """Return the form with other values in inputs of the criteria."""
        return replace(self, chosen={**self.chosen, **changes})

    def rows(self, place: Place) -> list[Criterion]:
        """Return the criteria that have their inputs at this place of the page."""
        return [row for row in TABLE if row.form.place == place]

    def uses(self, place: Place) -> bool:
        """Return whether something stands in an input at this place of the page."""
        return any(self.chosen[name] for row in self.rows(place) for name in row.form.inputs)

    @property
    def scheduled(self) -> bool:
        """Return whether a time has been chosen."""
        return self.when == "later" and bool(self.scheduled_local_time)

    @property
    def may_reprocess(self) -> bool:
        """Return whether re-processing can be chosen: a time, and events or a segment (C5)."""
        return self.scheduled and self.mode != "people" and bool(self[self.mode])
