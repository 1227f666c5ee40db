"""What gateways do to us, line by line as "Failures" has it: a real process counts the requests."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa
import time_machine
from apiflask import APIFlask

from rollcall import clock as real_clock
from rollcall.audience.criteria import Criteria
from rollcall.campaigns.scheduling import resume_campaign
from rollcall.extensions import db
from rollcall.models import Alert, Channel, Person, PersonFacts, Suppression
from rollcall.sending.provider_health import DOUBT_LIMIT
from tests.campaigns.stage import FRIDAY, Stage, assert_adds_up
from tests.sending.live import (
    addresses,
    attempts_of,
    give_phone,
    impatient,
    kannel,
    state_of,
    twilio,
)


@pytest.fixture
def live(app: APIFlask) -> Iterator[Stage]:
    """The stage, from Friday noon on, with time that passes."""
    with time_machine.travel(FRIDAY, tick=True) as traveller:
        stage = Stage(app, traveller)
        stage.settings = impatient(stage.settings)
        yield stage


@pytest.mark.parametrize("behaviour", ["hang", "reset", "500", "502", "504", "half", "empty"])
def test_accepted_and_then_no_answer_is_one_request_each_and_in_doubt(
    live: Stage, tmp_path: Path, behaviour: str
):
    people = live.people(6)
    with kannel(live, tmp_path) as double:
        double.behave(behaviour)
        campaign_id = live.at_once()
        live.run_due()
        double.behave("accept")
        live.run_due()
        assert len(addresses(double)) == len(set(addresses(double))) == 6
    results = live.document(campaign_id)["results"]
    assert results["in_doubt"] == len(people)
    assert state_of(campaign_id) == "completed"
    assert_adds_up(live.document(campaign_id))


def test_one_bad_recipient_is_recorded_once_and_the_others_are_unharmed(
    live: Stage, tmp_path: Path
):
    people = live.people(20)
    give_phone(live, people[7], "+15005550001")  # Twilio's own number for one that does not exist
    with twilio(live, tmp_path) as double:
        campaign_id = live.at_once()
        live.run_due()
        assert len(addresses(double)) == 20
    results = live.document(campaign_id)["results"]
    assert (results["sent"], results["failed"]) == (19, 1)
    (attempt,) = attempts_of(campaign_id, people[7])
    assert attempt.error_code == "21211"


def test_who_opted_out_at_the_carrier_is_opted_out_here(live: Stage, tmp_path: Path):
    people = live.people(3)
    give_phone(live, people[1], "+15005550004")
    with twilio(live, tmp_path):
        campaign_id = live.at_once()
        live.run_due()
    assert live.document(campaign_id)["results"]["failed"] == 1
    assert db.session.get_one(PersonFacts, people[1]).opted_out_sms is True
    assert db.session.scalar(sa.select(sa.func.count(Suppression.id))) == 1


def test_one_in_doubt_among_many_does_not_stop_the_others(live: Stage, tmp_path: Path):
    people = live.people(40)
    give_phone(live, people[3], "+19005550500")
    with kannel(live, tmp_path) as double:
        campaign_id = live.at_once()
        live.run_due()
        assert len(addresses(double)) == len(set(addresses(double))) == 40
    results = live.document(campaign_id)["results"]
    assert (results["sent"], results["in_doubt"]) == (39, 1)


def test_a_refused_password_pauses_with_an_alert_and_fails_nobody(live: Stage, tmp_path: Path):
    people = live.people(50)
    with kannel(live, tmp_path) as double:
        double.behave("403")
        campaign_id = live.at_once()
        live.run_due()
        assert state_of(campaign_id) == "paused"
        assert "KANNEL_PASSWORD" in live.campaign(campaign_id).state_note
        results = live.document(campaign_id)["results"]
        assert (results["failed"], results["in_doubt"], results["pending"]) == (0, 0, 50)
        assert len(double.requests()) <= live.settings.send_concurrency
        alerts = db.session.scalars(sa.select(Alert).where(Alert.closed_at.is_(None))).all()
        assert [alert.kind for alert in alerts] == ["provider"]
        double.behave("accept")
        resume_campaign(live.actor, campaign_id)
        live.run_due()
        accepted = [line for line in double.requests() if line["answer"] == 202]
    assert sorted(line["address"] for line in accepted) == phones(people)
    assert live.document(campaign_id)["results"]["sent"] == 50
    assert db.session.scalar(sa.select(Alert.closed_at)) is not None


def test_one_doubt_after_the_other_pauses_rather_than_doubting_thousands(
    live: Stage, tmp_path: Path
):
    live.people(200)
    with kannel(live, tmp_path) as double:
        double.behave("500")
        campaign_id = live.at_once()
        live.run_due()
        assert state_of(campaign_id) == "paused"
        doubted = live.document(campaign_id)["results"]["in_doubt"]
        assert DOUBT_LIMIT <= doubted <= DOUBT_LIMIT + live.settings.send_concurrency
        # Still broken: one goes first to try, and no more than that one is in doubt.
        resume_campaign(live.actor, campaign_id)
        live.run_due()
        assert state_of(campaign_id) == "paused"
        assert live.document(campaign_id)["results"]["in_doubt"] == doubted + 1
        double.behave("accept")
        resume_campaign(live.actor, campaign_id)
        live.run_due()
        assert len(addresses(double)) == len(set(addresses(double))) == 200
    results = live.document(campaign_id)["results"]
    assert (results["in_doubt"], results["sent"]) == (doubted + 1, 199 - doubted)


def test_429_for_ten_minutes_backs_off_and_loses_nobody(live: Stage, tmp_path: Path):
    people = live.people(30)
    with kannel(live, tmp_path) as double:
        double.behave("429")
        criteria = Criteria(events=("show",), window_hours=0)
        texts = live.at_once(criteria=criteria)
        mails = live.at_once(channel=Channel.EMAIL, subject="Hi", criteria=criteria)
        texts_until = real_clock.now() + timedelta(minutes=10)
        rests: list[float] = []
        live.run_due()
        while real_clock.now() < texts_until:
            wake = live.campaign(texts).lease_until
            assert wake is not None
            rests.append((wake - real_clock.now()).total_seconds())
            live.run_due(max(wake, real_clock.now()) + timedelta(seconds=0.01))
            assert live.document(texts)["results"]["pending"] == 30
        tries = len(double.requests())
        double.behave("accept")
        live.run_due(real_clock.now() + timedelta(seconds=61))
        accepted = [line["address"] for line in double.requests() if line["answer"] == 202]
    assert sorted(accepted) == phones(people)
    assert live.document(texts)["results"]["sent"] == 30
    # Other channels are unaffected: the e-mails went while texts had to wait.
    assert live.document(mails)["status"] == "completed"
    # It backs off: longer and longer, never the same length twice, at most a minute.
    assert tries <= 16 + 40
    assert max(rests[:3]) < 10 < max(rests) <= 61
    assert len({round(rest, 3) for rest in rests}) > len(rests) / 2


def test_a_gateway_that_is_not_there_loses_nobody(live: Stage, tmp_path: Path):
    people = live.people(10)
    with kannel(live, tmp_path) as double:
        double.stop()
        campaign_id = live.at_once()
        live.run_due()
        assert live.document(campaign_id)["results"]["pending"] == len(people)
        assert state_of(campaign_id) == "sending"
        assert attempts_of(campaign_id, people[0])[0].outcome.key == "queued"
        assert live.run_due() == []  # it rests
    with kannel(live, tmp_path) as double:
        live.run_due(real_clock.now() + timedelta(seconds=61))
        assert sorted(addresses(double)) == phones(people)


def test_half_an_hour_of_nobody_at_home_pauses_with_an_alert(live: Stage, tmp_path: Path):
    live.people(3)
    with kannel(live, tmp_path) as double:
        double.stop()
        campaign_id = live.at_once()
        live.run_due()
        for _ in range(3):
            live.run_due(real_clock.now() + timedelta(minutes=11))
    assert state_of(campaign_id) == "paused"
    assert "half an hour" in db.session.scalars(sa.select(Alert.text)).one()
    assert live.document(campaign_id)["results"]["pending"] == 3


def phones(people: list[int]) -> list[str]:
    """The phones of these people, in order, as the double of Kannel logs them."""
    found = db.session.scalars(sa.select(Person.phone).where(Person.id.in_(people)))
    return sorted(phone for phone in found if phone)
