"""Two processes at the same moment: what one has not committed yet, the other must wait for.

SQLite lets one writer in at a time, so that there each test only shows that waiting is enough.
"""

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from datetime import timedelta
from typing import Any

import sqlalchemy as sa
from apiflask import APIFlask

from rollcall import clock
from rollcall.actors import Actor, actor_for
from rollcall.campaigns.drafts import create_campaign
from rollcall.campaigns.scheduling import schedule_campaign
from rollcall.extensions import db, prepare_engine, write
from rollcall.models import Campaign, Channel, Person, PersonFacts, Reason, RecipientState
from rollcall.people.arrivals import take_in_people
from rollcall.people.consent import opt_out_person
from rollcall.people.details import CheckedPerson, PersonDraft
from rollcall.people.records import edit_person
from rollcall.sending.claims import claim_campaign
from tests.campaigns.stage import SUNDAY, Stage
from tests.factories import make_people, make_staff
from tests.waiting import HANGS, wait_for


@contextmanager
def beside(app: APIFlask, work: Callable[[], Any]) -> Iterator[Future[Any]]:
    """Do the work in a thread of its own; the block begins once it is done or has to wait."""
    started = threading.Event()

    def in_thread() -> Any:
        with app.app_context():
            try:
                started.set()
                return work()
            finally:
                db.session.remove()

    with ThreadPoolExecutor(1) as pool:
        future = pool.submit(in_thread)
        assert started.wait(HANGS)
        _wait_until_blocked(future)
        yield future


def _wait_until_blocked(future: Future[Any]) -> None:
    if db.engine.dialect.name == "sqlite":
        return
    waiting = sa.text(
        "SELECT count(*) FROM pg_stat_activity "
        "WHERE datname = current_database() AND wait_event_type = 'Lock'"
    )
    engine = sa.create_engine(db.engine.url)
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        wait_for(lambda: future.done() or connection.scalar(waiting), lambda: "nor is it waiting")
    engine.dispose()


@contextmanager
def rival(app: APIFlask) -> Iterator[sa.Connection]:
    """A transaction of another process, committed at the end of the block."""
    engine = sa.create_engine(db.engine.url)
    prepare_engine(engine)
    with engine.connect() as connection, connection.begin():
        yield connection
    engine.dispose()


def test_of_two_campaigns_at_the_same_moment_one_reaches_a_person(app: APIFlask, stage: Stage):
    """The reservation of the anti-spam window is part of the intent's own transaction."""
    stage.people(1)
    campaign_id = stage.at_once()
    db.session.remove()
    with rival(app) as other:
        other.execute(sa.update(PersonFacts).values(last_message_at=clock.now()))
        with beside(app, stage.run_due) as run:
            other.commit()
            run.result(HANGS)
    (recipient,) = stage.recipients(campaign_id)
    assert recipient.state is RecipientState.HELD_BACK
    assert recipient.held_reason is Reason.RECENTLY_MESSAGED
    assert stage.outbox() == []


def test_a_stop_at_the_moment_of_sending_is_heard(app: APIFlask, stage: Stage):
    stage.people(1)
    campaign_id = stage.at_once()
    db.session.remove()
    with rival(app) as other:
        other.execute(sa.update(PersonFacts).values(opted_out_sms=True))
        with beside(app, stage.run_due) as run:
            other.commit()
            run.result(HANGS)
    assert [row.held_reason for row in stage.recipients(campaign_id)] == [Reason.OPTED_OUT]
    assert stage.outbox() == []


def test_a_campaign_moved_at_the_very_second_it_is_due_is_not_claimed(app: APIFlask, stage: Stage):
    """Edited and scheduled anew in between: same state, same fence, another time and text."""
    stage.people(1)
    campaign_id = stage.at_once()
    db.session.remove()
    with rival(app) as other:
        other.execute(
            sa.update(Campaign).values(
                version=Campaign.version + 2,
                scheduled_at=clock.now() + timedelta(days=1),
                message="The new text",
            )
        )
        with beside(app, lambda: claim_campaign(campaign_id, timedelta(hours=24))) as claimed:
            other.commit()
            assert claimed.result(HANGS) is None
    assert stage.campaign(campaign_id).state == "scheduled"


def test_who_is_added_while_their_address_opts_out_is_opted_out(app: APIFlask, stage: Stage):
    organisation_id, actor = stage.organisation_id, stage.actor
    (person_id,) = make_people(stage.organisation, [{"first_name": "Ada", "last_name": "L"}])
    phone = db.session.get_one(Person, person_id).phone
    sharing = CheckedPerson(phone=phone, first_name="Byron", last_name="B")
    with ExitStack() as stack:
        with write():
            added = take_in_people(organisation_id, [sharing], clock.now()).ids[0]
            out = beside(app, lambda: opt_out_person(actor, person_id, Channel.SMS, "stop word"))
            waiting = stack.enter_context(out)
        assert waiting.result(HANGS) == 2
    assert db.session.get_one(PersonFacts, added).opted_out_sms is True


def test_two_people_given_one_phone_at_the_same_moment_share_it(app: APIFlask, stage: Stage):
    """Else the funnel would count, and pay for, the same phone twice."""
    first, second = make_people(stage.organisation, 2)
    phone = "+14165550123"
    organisation_id, actor = stage.organisation_id, stage.actor
    draft = PersonDraft(phone=phone, first_name="Second")
    new = CheckedPerson(phone=phone, first_name="New")
    with ExitStack() as stack:
        with write():
            added = take_in_people(organisation_id, [new], clock.now()).ids[0]
            edit = beside(app, lambda: edit_person(actor, second, draft))
            waiting = stack.enter_context(edit)
        waiting.result(HANGS)
    assert db.session.get_one(PersonFacts, added).phone_shared is True
    assert db.session.get_one(PersonFacts, second).phone_shared is True
    assert db.session.get_one(PersonFacts, first).phone_shared is False


def test_two_clicks_at_once_schedule_once_and_both_are_told_the_same(app: APIFlask, stage: Stage):
    stage.people(5)
    campaign_id = create_campaign(stage.actor, stage.draft(local_time=SUNDAY))
    actors = [stage.actor, actor_for(make_staff(organisation=stage.organisation), "browser")]
    db.session.remove()
    together = threading.Barrier(2)

    def click(actor: Actor) -> int:
        with app.app_context():
            together.wait(HANGS)
            try:
                return schedule_campaign(actor, campaign_id, 1)
            finally:
                db.session.remove()

    with ThreadPoolExecutor(2) as pool:
        assert list(pool.map(click, actors)) == [5, 5]
    assert len(stage.recipients(campaign_id)) == 5
    assert stage.campaign(campaign_id).version == 2
