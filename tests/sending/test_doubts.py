"""Messages in doubt: nobody is sent one twice unless somebody decided so, and it is told."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import pytest
import sqlalchemy as sa
import time_machine
from apiflask import APIFlask

from rollcall.actors import Actor
from rollcall.campaigns.scheduling import cancel_campaign
from rollcall.errors import Conflict, InvalidInput, NotAllowed, NotFound
from rollcall.explanations.explain import explain_campaign, list_past
from rollcall.extensions import db
from rollcall.models import AuditEntry, Role
from rollcall.sending.doubts import (
    STOPPED,
    Doubt,
    ask_provider,
    count_doubts,
    list_doubts,
    may_ask_provider,
    resolve_doubts,
)
from tests.campaigns.stage import FRIDAY, Stage, assert_adds_up
from tests.factories import make_actor, make_organisation
from tests.providers.gateways import Double
from tests.sending.live import addresses, attempts_of, impatient, kannel, state_of, twilio


@pytest.fixture
def live(app: APIFlask) -> Iterator[Stage]:
    with time_machine.travel(FRIDAY, tick=True) as traveller:
        stage = Stage(app, traveller)
        stage.settings = impatient(stage.settings)
        yield stage


def in_doubt(live: Stage, double: Double, number: int = 3) -> tuple[int, list[int]]:
    """A campaign that is over, with everybody in doubt; the gateway accepts from now on."""
    people = live.people(number)
    double.behave("500")
    campaign_id = live.at_once()
    live.run_due()
    double.behave("accept")
    assert count_doubts(campaign_id) == number
    return campaign_id, people


def doubts_of(live: Stage, campaign_id: int) -> list[Doubt]:
    return list_doubts(live.settings, live.organisation_id, campaign_id).rows


def explain(live: Stage, campaign_id: int, person_id: int) -> str:
    db.session.expire_all()
    said = explain_campaign(live.organisation_id, campaign_id, person_id).sentence
    [past] = [
        one for one in list_past(live.organisation_id, person_id) if one.campaign.id == campaign_id
    ]
    assert past.explanation.sentence == said, "the person's page says the same"
    return said


def audited(action: str) -> list[AuditEntry]:
    return list(db.session.scalars(sa.select(AuditEntry).filter_by(action=action)))


def test_each_doubt_is_listed_with_when_and_why(live: Stage, tmp_path: Path):
    with kannel(live, tmp_path) as double:
        campaign_id, people = in_doubt(live, double)
    page = list_doubts(live.settings, live.organisation_id, campaign_id)
    assert [row.person_id for row in page.rows] == people
    assert (page.open, page.provider, page.next_after) == (3, "Kannel", None)
    assert all("500" in row.why and row.address.startswith("+1416") for row in page.rows)
    first = list_doubts(live.settings, live.organisation_id, campaign_id, limit=2)
    assert (len(first.rows), first.next_after) == (2, people[1])
    rest = list_doubts(live.settings, live.organisation_id, campaign_id, after=people[1])
    assert [row.person_id for row in rest.rows] == people[2:]


def test_a_doubt_without_an_answer_says_that_rollcall_stopped(live: Stage, tmp_path: Path):
    with kannel(live, tmp_path) as double:
        campaign_id, people = in_doubt(live, double, 1)
    [attempt] = attempts_of(campaign_id, people[0])
    attempt.error_text = None
    db.session.commit()
    assert doubts_of(live, campaign_id)[0].why == STOPPED


def test_counted_as_sent_nothing_more_goes_out(live: Stage, tmp_path: Path):
    with kannel(live, tmp_path) as double:
        campaign_id, people = in_doubt(live, double)
        assert resolve_doubts(live.actor, campaign_id, "sent", people[0]) == 1
        assert [row.person_id for row in doubts_of(live, campaign_id)] == people[1:]
        assert resolve_doubts(live.actor, campaign_id, "sent") == 2
        live.run_due()
        assert len(addresses(double)) == 3
    results = live.document(campaign_id)["results"]
    assert (results["sent"], results["in_doubt"]) == (3, 0)
    assert_adds_up(live.document(campaign_id))
    assert explain(live, campaign_id, people[0]).startswith(
        "Counted as sent by staff: whether the message went out can't be known;"
    )
    page = list_doubts(live.settings, live.organisation_id, campaign_id)
    assert (page.counted_as_sent, page.sent_again) == (3, 0)
    assert [entry.after["people"] for entry in audited("campaign.resolve_doubt")] == [1, 2]


def test_sent_again_goes_to_those_it_was_decided_for_and_to_nobody_else(
    live: Stage, tmp_path: Path
):
    with kannel(live, tmp_path) as double:
        campaign_id, people = in_doubt(live, double)
        again = doubts_of(live, campaign_id)[1]
        resolve_doubts(live.actor, campaign_id, "again", again.person_id)
        assert state_of(campaign_id) == "sending"
        assert "waiting to go out" in explain(live, campaign_id, again.person_id)
        live.run_due()
        sent = addresses(double)
        assert len(sent) == 4
        assert sent.count(again.address) == 2
    assert state_of(campaign_id) == "completed"
    results = live.document(campaign_id)["results"]
    assert (results["sent"], results["in_doubt"]) == (1, 2)
    assert "they may have it twice" in explain(live, campaign_id, again.person_id)
    assert explain(live, campaign_id, people[0]).startswith(
        "In doubt: whether the message that was tried on "
    )
    with pytest.raises(Conflict, match="Nothing is in doubt"):
        resolve_doubts(live.actor, campaign_id, "again", again.person_id)


def test_only_an_admin_sends_again(live: Stage, tmp_path: Path):
    staff: Actor = make_actor(live.organisation, Role.STAFF)
    with kannel(live, tmp_path) as double:
        campaign_id, people = in_doubt(live, double, 2)
        with pytest.raises(NotAllowed):
            resolve_doubts(staff, campaign_id, "again")
        assert count_doubts(campaign_id) == 2
        assert resolve_doubts(staff, campaign_id, "sent", people[0]) == 1
        admin = make_actor(live.organisation, Role.ADMIN)
        assert resolve_doubts(admin, campaign_id, "again") == 1


def test_what_was_ended_can_only_be_counted_as_sent(live: Stage, tmp_path: Path):
    with kannel(live, tmp_path) as double:
        campaign_id, people = in_doubt(live, double)
        resolve_doubts(live.actor, campaign_id, "again", people[0])
        cancel_campaign(live.actor, campaign_id)
        with pytest.raises(Conflict, match="has been ended"):
            resolve_doubts(live.actor, campaign_id, "again")
        assert resolve_doubts(live.actor, campaign_id, "sent") == 2
        live.run_due()
        assert len(addresses(double)) == 3
    results = live.document(campaign_id)["results"]
    assert (results["sent"], results["cancelled"]) == (2, 1)


def test_another_organisation_and_another_word_are_refused(live: Stage, tmp_path: Path):
    stranger = make_actor(make_organisation())
    with kannel(live, tmp_path) as double:
        campaign_id, _ = in_doubt(live, double, 1)
    with pytest.raises(NotFound):
        resolve_doubts(stranger, campaign_id, "sent")
    with pytest.raises(NotFound):
        ask_provider(stranger, campaign_id, live.settings)
    with pytest.raises(NotFound):
        list_doubts(live.settings, stranger.organisation_id, campaign_id)
    with pytest.raises(InvalidInput, match="sent, again"):
        resolve_doubts(live.actor, campaign_id, "perhaps")
    assert count_doubts(campaign_id) == 1


def test_kannel_can_not_be_asked(live: Stage, tmp_path: Path):
    with kannel(live, tmp_path) as double:
        campaign_id, _ = in_doubt(live, double, 1)
        assert not may_ask_provider(live.settings, campaign_id)
        with pytest.raises(Conflict, match="Kannel can't be asked"):
            ask_provider(live.actor, campaign_id, live.settings)


def test_what_twilio_took_is_settled_and_what_it_does_not_know_stays_in_doubt(
    app: APIFlask, tmp_path: Path
):
    # The double tells the true time, so that ours must be true as well.
    live = Stage(app, cast(Any, None))
    live.settings = impatient(live.settings)
    with twilio(live, tmp_path / "first") as double:
        campaign_id, people = in_doubt(live, double)
        assert may_ask_provider(live.settings, campaign_id)
        assert count_doubts(campaign_id) == 3
        taking = live.settings
        with twilio(live, tmp_path / "second"):
            # Another account, which has seen none of them: that proves nothing.
            assert ask_provider(live.actor, campaign_id, live.settings) == (0, 3)
        assert count_doubts(campaign_id) == 3
        assert ask_provider(live.actor, campaign_id, taking) == (3, 3)
    assert count_doubts(campaign_id) == 0
    results = live.document(campaign_id)["results"]
    assert (results["sent"], results["in_doubt"]) == (3, 0)
    [attempt] = attempts_of(campaign_id, people[0])
    assert (attempt.provider_message_id or "").startswith("SM")
    assert explain(live, campaign_id, people[0]).startswith("Got it: sent on ")
    assert [entry.after for entry in audited("campaign.ask_provider")] == [
        {"asked": 3, "known": 0},
        {"asked": 3, "known": 3},
    ]
    with pytest.raises(Conflict, match="Nothing is in doubt"):
        ask_provider(live.actor, campaign_id, taking)
