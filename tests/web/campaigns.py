"""What the tests of the campaign pages share: an organisation with a night to write about."""

import html
import re
from datetime import timedelta
from typing import Any

from apiflask import APIFlask

from rollcall import clock
from rollcall.actors import Actor, actor_for
from rollcall.audience.criteria import Criteria
from rollcall.campaigns.drafts import CampaignDraft, create_campaign, find_campaign
from rollcall.campaigns.scheduling import schedule_campaign, send_campaign_now
from rollcall.extensions import db
from rollcall.models import Campaign, Channel, Organisation, StaffMember
from rollcall.sending.due import run_due_campaigns
from tests.factories import attend, make_event, make_people
from tests.web.browser import Browser


def words(page: str) -> str:
    """The visible text of a page, without its markup."""
    plain = re.sub(r"<(script|style|template)\b.*?</\1>", " ", page, flags=re.DOTALL)
    text = re.sub(r"\s+", " ", html.unescape(re.sub(r"<[^>]+>", " ", plain))).strip()
    # Where an element ends is no space to the eye: "3 people , on" reads "3 people, on".
    return re.sub(r" (?=[,.:;)])|(?<=\() ", "", text)


class Desk:
    """Somebody of an organisation at their desk: three people are coming to tomorrow's night."""

    def __init__(self, app: APIFlask, staff: StaffMember, browser: Browser) -> None:
        self.app = app
        self.browser = browser
        self.actor: Actor = actor_for(staff, "browser")
        self.organisation: Organisation = staff.organisation
        self.event = make_event(
            self.organisation, "night", name="Gala Night", starts_at=clock.now() + timedelta(days=1)
        )
        self.people = make_people(
            self.organisation, [{"first_name": name} for name in ("Ann", "Bob", "Cid")]
        )
        attend(self.event, self.people, at=clock.now() - timedelta(hours=1))

    def local(self, **later: float) -> str:
        """A wall-clock time in UTC, so much later than now."""
        return (clock.now() + timedelta(**later)).strftime("%Y-%m-%dT%H:%M")

    def form(self, **changes: Any) -> dict[str, Any]:
        """A filled-in form, as the browser would send it."""
        return {
            "name": "Thank you",
            "channel": "sms",
            "message": "Thanks %%FIRST_NAME%%",
            "mode": "events",
            "events": ["night"],
            "recent_message_hours": "72",
            "when": "later",
            "scheduled_local_time": self.local(days=3),
            "scheduled_timezone": "UTC",
            "action": "continue",
            **changes,
        }

    def draft(self, **changes: Any) -> int:
        """A stored draft for a time three days ahead."""
        values: dict[str, Any] = {
            "name": "Thank you",
            "channel": Channel.SMS,
            "message": "Thanks %%FIRST_NAME%%",
            "criteria": Criteria(events=("night",)),
            "local_time": self.local(days=3),
            "timezone": "UTC",
            **changes,
        }
        return create_campaign(self.actor, CampaignDraft(**values))

    def scheduled(self, **changes: Any) -> int:
        campaign_id = self.draft(**changes)
        schedule_campaign(self.actor, campaign_id)
        return campaign_id

    def sent(self, **changes: Any) -> int:
        """A campaign that went out; `changes` may hold `meanwhile`, done before it does."""
        meanwhile = changes.pop("meanwhile", lambda: None)
        campaign_id = self.scheduled(**changes)
        meanwhile()
        send_campaign_now(self.actor, campaign_id)
        self.run_due()
        return campaign_id

    def run_due(self) -> None:
        run_due_campaigns(self.app.extensions["rollcall"])

    def campaign(self, campaign_id: int) -> Campaign:
        db.session.rollback()
        db.session.expire_all()
        return find_campaign(self.organisation.id, campaign_id)

    def newest(self) -> Campaign:
        db.session.rollback()
        return db.session.query(Campaign).order_by(Campaign.id.desc()).first()  # type: ignore[return-value]

    def read(self, path: str, **kwargs: Any) -> str:
        """The visible words of a page that must be there."""
        response = self.browser.get(path, **kwargs)
        assert response.status_code == 200, response.text
        return words(response.text)
