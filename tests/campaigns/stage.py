"""What the tests of campaigns share: an organisation, an event, and short ways to act."""

from datetime import UTC, datetime, timedelta
from typing import Any

import sqlalchemy as sa
import time_machine
from apiflask import APIFlask

from rollcall.actors import Actor
from rollcall.audience.criteria import Criteria
from rollcall.campaigns.document import campaign_document
from rollcall.campaigns.drafts import CampaignDraft, create_campaign, find_campaign
from rollcall.campaigns.scheduling import schedule_campaign, send_campaign_now
from rollcall.extensions import db
from rollcall.models import (
    AudienceMode,
    Campaign,
    Channel,
    Event,
    Organisation,
    Recipient,
    Role,
    Source,
)
from rollcall.providers.simulator import OutboxMessage, read_outbox
from rollcall.sending.due import run_due_campaigns
from tests.factories import attend, make_actor, make_event, make_organisation, make_people

FRIDAY = datetime(2026, 11, 27, 17, 0, tzinfo=UTC)  # noon in Toronto
SUNDAY = "2026-11-29T10:00"
SUNDAY_UTC = datetime(2026, 11, 29, 15, 0, tzinfo=UTC)


class Stage:
    """One organisation with one event; each method is a sentence of a scenario."""

    def __init__(self, app: APIFlask, clock: time_machine.Traveller) -> None:
        self.settings = app.extensions["rollcall"]
        self.clock = clock
        organisation = make_organisation()
        self.organisation_id = organisation.id
        self.event_id = make_event(organisation, "show").id
        self.actor: Actor = make_actor(organisation, Role.SUPER)

    @property
    def organisation(self) -> Organisation:
        return db.session.get_one(Organisation, self.organisation_id)

    def people(self, number: int, *, attending: Source | None = Source.REGISTRATION) -> list[int]:
        """So many new people, attending the event unless `attending` is None."""
        ids = make_people(self.organisation, number)
        if attending is not None:
            self.attend(ids, attending)
        return ids

    def attend(self, ids: list[int], source: Source = Source.QR_SCAN) -> None:
        attend(db.session.get_one(Event, self.event_id), ids, source)

    def draft(self, **changes: Any) -> CampaignDraft:
        values: dict[str, Any] = {
            "name": "Winner announcement",
            "channel": Channel.SMS,
            "message": "Congrats %%FIRST_NAME%%",
            "criteria": Criteria(events=("show",)),
            "timezone": "America/Toronto",
        }
        return CampaignDraft(**{**values, **changes})

    def for_sunday(self, reprocess: bool, **changes: Any) -> int:
        """A campaign scheduled for Sunday 10 am."""
        mode = AudienceMode.REPROCESS if reprocess else AudienceMode.FROZEN
        draft = self.draft(**{"audience_mode": mode, "local_time": SUNDAY, **changes})
        campaign_id = create_campaign(self.actor, draft)
        schedule_campaign(self.actor, campaign_id)
        return campaign_id

    def at_once(self, **changes: Any) -> int:
        """A campaign that is due now."""
        campaign_id = create_campaign(self.actor, self.draft(**changes))
        send_campaign_now(self.actor, campaign_id)
        return campaign_id

    def run_due(self, at: datetime | None = None) -> list[int]:
        """Let the scheduler look once, at a moment of its own if one is given."""
        if at is not None:
            self.clock.move_to(at)
        return run_due_campaigns(self.settings)

    def run_on_sunday(self) -> list[int]:
        return self.run_due(SUNDAY_UTC + timedelta(seconds=1))

    def campaign(self, campaign_id: int) -> Campaign:
        db.session.expire_all()
        return find_campaign(self.organisation_id, campaign_id)

    def document(self, campaign_id: int) -> dict[str, Any]:
        return campaign_document(self.campaign(campaign_id))

    def recipients(self, campaign_id: int) -> list[Recipient]:
        db.session.expire_all()
        return list(
            db.session.scalars(
                sa.select(Recipient)
                .where(Recipient.campaign_id == campaign_id)
                .order_by(Recipient.person_id)
            )
        )

    def outbox(self, campaign_id: int | None = None) -> list[OutboxMessage]:
        """What the gateway was really given."""
        return read_outbox(
            self.settings.outbox_path, self.organisation_id, campaign_id=campaign_id, limit=10_000
        )

    def reached(self, campaign_id: int) -> list[int]:
        """The people whom the gateway was given a message for, each as often as that."""
        return sorted(message.person_id for message in self.outbox(campaign_id))


def assert_adds_up(document: dict[str, Any]) -> None:
    """The states of the final list add up to it, and both lists to each other."""
    results, metadata = document["results"], document["metadata"]
    states = ["sent", "delivered", "failed", "held_back", "in_doubt", "pending", "cancelled"]
    assert sum(results[state] for state in states) == document["total_recipients"]
    assert sum(results["held_back_by_reason"].values()) == results["held_back"]
    assert sum(metadata["left_by_reason"].values()) == metadata["left"]
    if metadata["actual_recipients"] is not None:
        grown = metadata["estimated_recipients"] + metadata["joined"] - metadata["left"]
        assert grown == metadata["actual_recipients"]
