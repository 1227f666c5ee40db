"""Who is told what of campaigns, through the real send path: notices, e-mails, alerts (E3)."""

from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import pytest
import sqlalchemy as sa

from rollcall import clock
from rollcall.accounts.alerts import alert_admins, raise_alert
from rollcall.actors import Actor, actor_for
from rollcall.audience.criteria import Criteria
from rollcall.campaigns.alerts import count_failures, last_reminder, remind_of_reviews
from rollcall.extensions import db, write
from rollcall.models import (
    Alert,
    Campaign,
    Notice,
    OnFailure,
    Organisation,
    Role,
    StaffMail,
    StaffMember,
)
from rollcall.monitoring.chores import run_chores
from rollcall.sending.review import review_campaign
from tests.campaigns.stage import FRIDAY, SUNDAY_UTC, Stage
from tests.factories import make_organisation, make_staff

EVENT = Criteria(events=("show",), window_hours=0)


class Crew:
    """An author of each role, an admin and a super of the stage's organisation, and strangers."""

    def __init__(self, stage: Stage) -> None:
        self.stage = stage
        self.author = self._add(Role.STAFF, stage.organisation)
        self.colleague = self._add(Role.STAFF, stage.organisation)
        self.admin = self._add(Role.ADMIN, stage.organisation)
        self.gone = self._add(Role.ADMIN, stage.organisation, active=False)
        self.quiet = self._add(Role.ADMIN, stage.organisation, mail_notices=False)
        self.stranger = self._add(Role.ADMIN, make_organisation())
        self.supers = [stage.actor.staff_id]
        stage.actor = actor_for(db.session.get_one(StaffMember, self.author), "browser")

    def _add(self, role: Role, organisation: Organisation, **values: Any) -> int:
        return make_staff(role, organisation, **values).id

    @property
    def admins(self) -> set[int]:
        return {self.admin, self.quiet, *self.supers}

    def by_role(self, staff_id: int) -> Actor:
        return actor_for(db.session.get_one(StaffMember, staff_id), "browser")


@pytest.fixture
def crew(stage: Stage) -> Crew:
    return Crew(stage)


def told(kind: str) -> dict[int, Notice]:
    """Who has a notice of this kind; nobody may have two."""
    db.session.rollback()
    found = list(db.session.scalars(sa.select(Notice).filter_by(kind=kind)))
    by_staff = {notice.staff_id: notice for notice in found}
    assert len(by_staff) == len(found), [notice.title for notice in found]
    return by_staff


def mailed(title: str) -> set[int]:
    query = sa.select(StaffMail.staff_id).where(StaffMail.subject == title)
    return set(db.session.scalars(query))


def open_alerts(kind: str) -> list[Alert]:
    db.session.rollback()
    query = sa.select(Alert).where(Alert.kind == kind, Alert.closed_at.is_(None))
    return list(db.session.scalars(query))


def grow(stage: Stage, before: int, after: int, **changes: Any) -> int:
    stage.people(before)
    campaign_id = stage.for_sunday(True, criteria=EVENT, **changes)
    stage.people(after - before)
    stage.run_on_sunday()
    return campaign_id


def allow_all(stage: Stage) -> None:
    """Let nobody's growth stop anything."""
    with write():
        free = {"growth_percent": None, "growth_people": None}
        stage.organisation.guard_limits = {role.value: free for role in Role}


@pytest.mark.parametrize(
    ("before", "after", "author", "alert"),
    [(2, 6, False, False), (2, 7, True, False), (2, 12, True, False), (2, 13, True, True)],
)
def test_a_change_over_200_percent_is_the_authors_and_one_over_500_everybodys(
    stage: Stage, crew: Crew, before: int, after: int, author: bool, alert: bool
):
    allow_all(stage)
    campaign_id = grow(stage, before, after)
    assert stage.document(campaign_id)["status"] == "completed"
    notices, alerts = told("change"), told("alert")
    assert set(notices) == ({crew.author} if author else set())
    assert set(alerts) == (crew.admins if alert else set())
    assert len(open_alerts("change")) == alert
    if author:
        notice = notices[crew.author]
        percent = (after - before) * 100 // before
        assert notice.title == f"“Winner announcement”: the audience changed by +{percent} %"
        assert notice.text == (
            f"The estimate had 2 people, the final list has {after} people "
            f"(+{after - before}, +{percent} %). It goes out."
        )
        assert notice.path == f"/campaigns/{campaign_id}"
        with_mail = {crew.author, *((crew.admins - {crew.quiet}) if alert else ())}
        assert mailed(notice.title) == with_mail
    if alert:
        assert notices[crew.author].title in open_alerts("change")[0].text


def test_an_admin_who_is_the_author_is_told_of_a_large_change_once(stage: Stage, crew: Crew):
    allow_all(stage)
    stage.actor = crew.by_role(crew.admin)
    grow(stage, 2, 20)
    assert set(told("change")) == {crew.admin}
    assert set(told("alert")) == crew.admins - {crew.admin}


def test_from_nobody_there_is_no_percentage_to_tell(stage: Stage, crew: Crew):
    grow(stage, 0, 9)
    assert told("change") == told("alert") == {}


def test_a_list_that_is_not_sent_to_is_nobodys_change(stage: Stage, crew: Crew):
    allow_all(stage)
    grow(stage, 1, 4, min_growth=5_000)
    assert told("change") == told("alert") == {}


def test_a_stopped_campaign_is_told_with_who_may_decide(stage: Stage, crew: Crew):
    campaign_id = grow(stage, 2, 13, not_after="2026-11-29T20:00")
    assert stage.document(campaign_id)["status"] == "needs_review"
    notices = told("review")
    assert set(notices) == {crew.author, *crew.admins}
    notice = notices[crew.author]
    assert notice.title == "“Winner announcement” needs a decision"
    assert "the limit is 100 %" in notice.text
    assert "Send it to the final list: only somebody with the role super may." in notice.text
    assert "If nobody decides before Sun 29 Nov 2026, 20:00 America/Toronto" in notice.text
    assert mailed(notice.title) == {crew.author, *crew.admins} - {crew.quiet}
    # The alert of so large a change stands in the app, and is not told a second time.
    assert len(open_alerts("change")) == 1
    assert told("alert") == told("change") == {}


def test_an_admin_may_decide_what_their_limits_allow(stage: Stage, crew: Crew):
    grow(stage, 2, 10)
    text = told("review")[crew.author].text
    assert "only somebody with the role admin or super may" in text


def test_what_was_rolled_back_is_told_to_nobody(
    stage: Stage, crew: Crew, monkeypatch: pytest.MonkeyPatch
):
    """The notices are part of the transaction that stores the list."""
    stage.people(2)
    campaign_id = stage.for_sunday(True, criteria=EVENT)
    stage.people(11)

    def break_off(*_: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("rollcall.campaigns.alerts.tell_admins", break_off)
    with pytest.raises(KeyboardInterrupt):
        stage.run_on_sunday()
    assert told("review") == {}
    assert stage.campaign(campaign_id).final_at is None


def test_slow_re_processing_is_an_alert(stage: Stage, crew: Crew, monkeypatch: pytest.MonkeyPatch):
    moments = iter([100.0, 131.5])
    slow = SimpleNamespace(monotonic=lambda: next(moments))
    monkeypatch.setattr("rollcall.sending.resolve.time", slow)
    campaign_id = grow(stage, 2, 3)
    assert stage.document(campaign_id)["metadata"]["reprocess_duration_ms"] == 31_500
    assert set(told("alert")) == crew.admins
    assert "re-processing the audience took 31.5 s" in open_alerts("slow")[0].text


def fail_on_sunday(stage: Stage, on_failure: OnFailure = OnFailure.FAIL) -> int:
    stage.people(3)
    campaign_id = stage.for_sunday(True, criteria=EVENT, on_failure=on_failure)
    with write():
        damaged = '{"events": ["gone"]}'
        db.session.get_one(Campaign, campaign_id).targeting_criteria = damaged
    stage.run_on_sunday()
    return campaign_id


def test_a_failure_is_the_authors_and_too_many_are_everybodys(stage: Stage, crew: Crew):
    campaign_id = fail_on_sunday(stage)
    assert stage.document(campaign_id)["status"] == "failed"
    notice = told("failed")[crew.author]
    assert notice.title == "“Winner announcement”: re-processing failed, nothing was sent"
    assert "There is no event 'gone'" in notice.text
    assert count_failures(stage.organisation_id) == (1, 1)
    assert set(told("alert")) == crew.admins
    assert "failed for 1 of 1 campaigns" in open_alerts("reprocess_failures")[0].text


def test_a_failure_that_fell_back_is_told_as_well(stage: Stage, crew: Crew):
    campaign_id = fail_on_sunday(stage, OnFailure.ESTIMATE)
    assert stage.document(campaign_id)["status"] == "completed"
    title = told("failed")[crew.author].title
    assert title == "“Winner announcement”: re-processing failed, it went to the estimate list"
    assert count_failures(stage.organisation_id) == (1, 1)


def make_reprocessed(stage: Stage, number: int) -> None:
    """So many campaigns whose re-processing went well an hour ago."""
    campaign_id = stage.at_once(name="went well")
    campaign = stage.campaign(campaign_id)
    columns = {column.key for column in sa.inspect(Campaign).columns} - {"id"}
    row = {name: getattr(campaign, name) for name in columns}
    row |= {"reprocessed_at": clock.now() - timedelta(hours=1), "state": "completed"}
    with write():
        db.session.execute(sa.insert(Campaign), [row] * number)
        db.session.get_one(Campaign, campaign_id).state = "cancelled"


@pytest.mark.parametrize(("went_well", "alerts"), [(18, 1), (19, 0)])
def test_one_failure_in_twenty_is_no_alert(stage: Stage, crew: Crew, went_well: int, alerts: int):
    stage.clock.move_to(SUNDAY_UTC)
    make_reprocessed(stage, went_well)
    stage.clock.move_to(FRIDAY)
    fail_on_sunday(stage)
    assert count_failures(stage.organisation_id) == (1, went_well + 1)
    assert len(open_alerts("reprocess_failures")) == alerts


def test_the_alert_passes_when_re_processing_works_again(stage: Stage, crew: Crew):
    fail_on_sunday(stage)
    run_chores(stage.settings)
    assert len(open_alerts("reprocess_failures")) == 1
    stage.clock.move_to(SUNDAY_UTC + timedelta(hours=25))
    run_chores(stage.settings)
    assert open_alerts("reprocess_failures") == []


def test_a_campaign_that_missed_its_time(stage: Stage, crew: Crew):
    stage.people(2)
    campaign_id = stage.for_sunday(False)
    stage.run_due(SUNDAY_UTC + timedelta(hours=30))
    assert stage.document(campaign_id)["status"] == "needs_review"
    assert set(told("review")) == {crew.author}
    assert set(told("alert")) == crew.admins
    notice = told("alert")[crew.admin]
    assert notice.title == "“Winner announcement” missed its time"
    assert "Rollcall was not running when this was due" in notice.text
    run_chores(stage.settings)
    assert len(open_alerts("missed")) == 1
    review_campaign(crew.by_role(crew.admin), campaign_id, "cancel")
    run_chores(stage.settings)
    assert open_alerts("missed") == []


def test_one_that_was_left_alone_in_the_middle_is_told_too(stage: Stage, crew: Crew):
    stage.people(2)
    campaign_id = stage.for_sunday(False)
    with write():
        campaign = db.session.get_one(Campaign, campaign_id)
        campaign.state, campaign.lease_until = "sending", SUNDAY_UTC
    stage.run_due(SUNDAY_UTC + timedelta(hours=30))
    assert stage.document(campaign_id)["status"] == "paused"
    assert "stopped in the middle of sending" in told("alert")[crew.admin].text
    assert set(told("review")) == {crew.author}


def test_an_alert_that_comes_again_is_told_again(stage: Stage, crew: Crew):
    def raise_it() -> None:
        with write():
            here = {"organisation_id": stage.organisation_id}
            alert_admins("provider", "provider.x", "It is failing", "It is failing.", **here)

    raise_it()
    raise_it()
    assert set(told("alert")) == crew.admins
    with write():
        db.session.execute(sa.update(Alert).values(closed_at=clock.now()))
    raise_it()
    query = sa.select(sa.func.count()).select_from(Notice).filter_by(staff_id=crew.admin)
    assert db.session.scalar(query) == 2


def test_what_concerns_the_installation_is_told_to_the_admins_of_all(stage: Stage, crew: Crew):
    with write():
        alert_admins("provider", "provider.x", "It is failing", "It is failing.")
    assert set(told("alert")) == {*crew.admins, crew.stranger}


def test_of_one_key_one_alert_is_open(stage: Stage):
    with write():
        first = raise_alert("provider", "provider.x", "once")
        assert first is not None
        assert raise_alert("provider", "provider.x", "twice") is None
    assert [alert.text for alert in open_alerts("provider")] == ["once"]


@pytest.mark.parametrize(
    ("hours", "not_after", "expected"),
    [
        (0.9, None, None),
        (1, None, 1),
        (23.9, None, 1),
        (24, None, 24),
        (80, None, 72),
        (0.9, 10, None),
        (7.9, 10, 1),
        (8, 10, 8),
        (9.9, 10, 8),
        (1.5, 2, 1),
    ],
)
def test_when_a_reminder_is_due(hours: float, not_after: int | None, expected: int | None):
    end = None if not_after is None else FRIDAY + timedelta(hours=not_after)
    due = last_reminder(FRIDAY, end, FRIDAY + timedelta(hours=hours))
    assert due == (None if expected is None else FRIDAY + timedelta(hours=expected))


def count_reminders(staff_id: int) -> int:
    db.session.rollback()
    query = sa.select(sa.func.count()).select_from(Notice)
    return db.session.scalar(query.filter_by(staff_id=staff_id, kind="reminder")) or 0


def test_a_review_that_nobody_decides_is_reminded_of(stage: Stage, crew: Crew):
    campaign_id = grow(stage, 2, 13)
    stopped = stage.campaign(campaign_id).review_since
    assert stopped is not None
    expected = []
    for hours in (0.5, 1.1, 5, 23, 24.5, 47, 49):
        stage.clock.move_to(stopped + timedelta(hours=hours))
        for _ in range(2):
            run_chores(stage.settings)
        expected.append((hours, count_reminders(crew.author)))
    assert expected == [(0.5, 0), (1.1, 1), (5, 1), (23, 1), (24.5, 2), (47, 2), (49, 3)]
    assert count_reminders(crew.admin) == 3
    assert count_reminders(crew.colleague) == count_reminders(crew.gone) == 0
    newest = db.session.scalars(
        sa.select(Notice).filter_by(staff_id=crew.author).order_by(Notice.id.desc())
    ).first()
    assert newest is not None
    assert newest.title == "“Winner announcement” still needs a decision"
    assert newest.text.startswith("It was stopped 2 days ago, and nobody has decided.")
    review_campaign(crew.by_role(crew.admin), campaign_id, "estimate")
    stage.clock.move_to(stopped + timedelta(hours=80))
    assert remind_of_reviews(stage.settings) == 0


def test_after_a_stop_one_reminder_makes_up_for_all_that_were_missed(stage: Stage, crew: Crew):
    campaign_id = grow(stage, 2, 13)
    stopped = stage.campaign(campaign_id).review_since
    assert stopped is not None
    stage.clock.move_to(stopped + timedelta(hours=100))
    run_chores(stage.settings)
    assert count_reminders(crew.author) == 1
