"""An organisation with one row of everything, for the tests that walk every route.

A new route whose address has a parameter of a new name needs a line in SAMPLES: the value by
which that parameter finds a row of this organisation.
"""

import io
import json
from collections.abc import Callable
from typing import Any
from urllib.parse import urlencode

from apiflask import APIFlask
from werkzeug.routing import Rule

from rollcall.accounts.alerts import list_open_alerts, raise_alert
from rollcall.accounts.notices import list_notices, tell_staff
from rollcall.accounts.passwords import hash_password
from rollcall.accounts.sessions import begin_session
from rollcall.accounts.tokens import create_token
from rollcall.actors import Actor, actor_for
from rollcall.audience.criteria import Criteria
from rollcall.campaigns.drafts import CampaignDraft, create_campaign
from rollcall.extensions import write
from rollcall.models import Channel, Organisation, Role, StaffMember
from rollcall.people.imports import import_people
from rollcall.people.inbox import list_inbox
from rollcall.plans.reading import read_items
from rollcall.plans.records import lock_plan, set_plan, start_production
from rollcall.providers.base import Inbound
from rollcall.segments.records import SegmentDraft, create_segment
from rollcall.segments.snapshots import ensure_segment_snapshot
from rollcall.sending.inbound import receive_inbound
from tests.factories import attend, make_event, make_organisation, make_person, make_staff
from tests.web.browser import PASSWORD, Browser

MARK = "Zanzibar"  # stands in every row of the organisation, and in no page of another one

SAMPLES: dict[str, Callable[["World"], object]] = {
    "alert_id": lambda world: world.alert_id,
    "campaign_id": lambda world: world.campaign_id,
    "event_key": lambda world: world.event_slug,
    "notice_id": lambda world: world.notice_id,
    "message_id": lambda world: world.message_id,
    "person_id": lambda world: world.person_id,
    "reference": lambda world: "1-1-0000000000000001",
    "run_id": lambda world: world.run_id,
    "secret": lambda world: "no secret of ours",
    "segment_key": lambda world: world.segment_slug,
    "session_id": lambda world: world.session_id,
    "slug": lambda world: world.event_slug,
    "snapshot_id": lambda world: world.snapshot_id,
    "staff_id": lambda world: world.colleague.id,
    "token_id": lambda world: world.token_id,
}

# What a GET needs in its query to have something to show, for rows of the organisation.
QUERIES: dict[str, Callable[["World"], dict[str, str]]] = {
    "campaigns.audience": lambda world: {"criteria": json.dumps({"people": [world.person_id]})},
    "plans.amend": lambda world: {"kind": "finished_good", "item": "boxes"},
}

# What a form needs so that only the id in its address can be wrong with it.
FORMS: dict[str, dict[str, str]] = {
    "campaigns.decide_doubts": {"decision": "sent"},
    "inbox.decide": {"decision": "ignore"},
    "campaigns.review": {"decision": "cancel"},
    "segments.decide": {"campaign": "1", "decision": "keep"},
    "people.opt_in": {"channel": "sms"},
    "people.opt_out": {"channel": "sms"},
}


class World:
    """One organisation with one row of everything, and a staff member of each role."""

    def __init__(self, app: APIFlask, slug: str, mark: str) -> None:
        self.app = app
        self.organisation: Organisation = make_organisation(slug, name=mark)
        self.staff = {role: self._staff(role, mark) for role in Role}
        self.colleague = self._staff(Role.STAFF, mark)
        self.session_id = begin_session(self.staff[Role.SUPER].id, "192.0.2.1", mark).id
        self.actor: Actor = actor_for(self.staff[Role.SUPER], "browser", "127.0.0.1")
        person = make_person(self.organisation, first_name=mark, last_name=mark)
        event = make_event(self.organisation, f"{slug}-event", name=mark)
        attend(event, person)
        self.person_id, self.event_slug = person.id, event.slug
        self.token_id, self.token = create_token(self.actor, mark, self.colleague.id)
        draft = CampaignDraft(
            name=mark,
            channel=Channel.SMS,
            message=mark,
            criteria=Criteria(events=(event.slug,)),
            timezone="America/Toronto",
        )
        self.campaign_id = create_campaign(self.actor, draft)
        self._produce(mark)
        self.segment_slug = self._segment(f"{slug}-segment", mark)
        file = io.BytesIO(b"First name,Phone\n" + f"{mark},not a phone\n".encode())
        self.message_id = self._inbound(person.phone or "", f"{mark}, please stop this")
        self.alert_id = self._alert(f"{mark} was due while nobody looked.")
        self.notice_id = self._notice(f"{mark} needs a decision")
        self.run_id = import_people(file, self.actor, file_name=f"{mark}.csv")["id"]

    def _segment(self, slug: str, mark: str) -> str:
        """Keep whoever is at the event as a segment, with a snapshot."""
        criteria = Criteria(events=(self.event_slug,))
        create_segment(self.actor, SegmentDraft(mark, criteria, slug=slug))
        self.snapshot_id = ensure_segment_snapshot(self.actor, slug).id
        return slug

    def _produce(self, mark: str) -> None:
        """Put the event's plan into production, with fewer boxes than it takes."""
        boxes = {"name": f"{mark} boxes", "slug": "boxes", "quantity": 1, "per_person": 2}
        set_plan(self.actor, self.event_slug, read_items({"finished_goods": [boxes]}))
        lock_plan(self.actor, self.event_slug)
        start_production(self.actor, self.event_slug)

    def _alert(self, text: str) -> int:
        here = {"organisation_id": self.organisation.id, "campaign_id": self.campaign_id}
        with write():
            raise_alert("missed", f"campaign.missed.{self.campaign_id}", text, **here)
        return list_open_alerts(self.organisation.id)[0].id

    def _notice(self, title: str) -> int:
        """Tell the super something that they have not read."""
        super_ = self.staff[Role.SUPER]
        with write():
            path = f"/campaigns/{self.campaign_id}"
            tell_staff([super_], "review", "review.1", title, "It waits for a decision.", path)
        return list_notices(self.actor).rows[0].id

    def _inbound(self, phone: str, text: str) -> int:
        receive_inbound("kannel", Inbound(f"{self.organisation.id}", phone, "12345", text))
        return list_inbox(self.organisation.id).rows[0].message.id

    def _staff(self, role: Role, mark: str) -> StaffMember:
        return make_staff(role, self.organisation, name=mark, password_hash=hash_password(PASSWORD))

    def browser(self, role: Role) -> Browser:
        """Return a browser in which the staff member of this role is logged in."""
        browser = Browser(self.app)
        browser.log_in(self.staff[role])
        return browser

    def path_of(self, rule: Rule) -> str:
        """Return the rule's address for this organisation's rows."""
        values: dict[str, Any] = {}
        for name in rule.arguments:
            assert name in SAMPLES, (
                f"{rule.rule} has the parameter {name!r}, which is new: add to SAMPLES in "
                "tests/web/samples.py how it finds a row of an organisation"
            )
            values[name] = SAMPLES[name](self)
        return self._build(rule, values)

    def missing_path_of(self, rule: Rule) -> str:
        """Return the rule's address for rows that nobody has."""
        nobody: dict[str, Any] = {
            name: 987_654_321 if isinstance(SAMPLES[name](self), int) else "nobody-has-this"
            for name in rule.arguments
        }
        return self._build(rule, nobody)

    def _build(self, rule: Rule, values: dict[str, Any]) -> str:
        path = self.app.url_map.bind("localhost").build(rule.endpoint, values)
        query = QUERIES.get(rule.endpoint)
        return f"{path}?{urlencode(query(self))}" if query else path
