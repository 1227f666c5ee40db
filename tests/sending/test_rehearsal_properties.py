"""On any history a rehearsal says what the send then does, and leaves everything as it was."""

from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rollcall.audience.criteria import Criteria
from rollcall.extensions import db, write
from rollcall.models import (
    Attempt,
    Attendance,
    AudienceMode,
    AuditEntry,
    Campaign,
    LeftOut,
    Notice,
    OnFailure,
    Person,
    PersonFacts,
    Recipient,
    Rehearsal,
    Source,
    StaffMail,
)
from rollcall.people.facts import refresh_facts
from rollcall.sending.rehearsals import rehearse_campaign
from tests.campaigns.stage import FRIDAY, SUNDAY_UTC, Stage
from tests.factories import make_phone, set_facts
from tests.sending.moving import give_same_phone

PEOPLE = 8

person = st.fixed_dictionaries(
    {
        "source": st.sampled_from([None, Source.REGISTRATION, Source.QR_SCAN]),
        "blocked": st.booleans(),
        "opted_out_sms": st.sampled_from([False, False, True]),
        "phone_zones": st.sampled_from(["America/Toronto", "Asia/Tokyo", "US-TX"]),
        # Around the window's edge, seen from the sending and from the rehearsal before it.
        "messaged": st.sampled_from([None, None, 71, 73, 100]),
    }
)
population = st.lists(person, min_size=PEOPLE, max_size=PEOPLE)
campaigns = st.fixed_dictionaries(
    {
        "audience_mode": st.sampled_from(AudienceMode),
        "min_growth": st.sampled_from([None, 0, 20]),
        "on_failure": st.sampled_from(OnFailure),
        "quiet_hours": st.sampled_from(["wait", "skip"]),
        "limits": st.sampled_from(
            [{}, {"growth_percent": 50}, {"ceiling": 3}, {"minimum": 4}, {"fall_stops": True}]
        ),
        "damaged": st.sampled_from([False, False, False, True]),
    }
)


@pytest.fixture
def crowd(stage: Stage) -> list[int]:
    with write():
        organisation = stage.organisation
        organisation.quiet_until, organisation.quiet_from = _clock(8), _clock(21)
    return stage.people(PEOPLE, attending=None)


def _clock(hour: int) -> Any:
    return (FRIDAY.replace(hour=hour, minute=0)).time()


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(friday=population, sunday=population, chosen=campaigns, shares=st.booleans())
def test_a_rehearsal_says_what_the_send_then_stores(stage, crowd, friday, sunday, chosen, shares):
    clear(stage, crowd)
    arrange(stage, crowd, friday)
    campaign_id = plan(stage, chosen)
    arrange(stage, crowd, sunday)
    if shares:
        give_same_phone(stage.organisation_id, crowd[0], crowd[1])
    if chosen["damaged"]:
        with write():
            db.session.get_one(Campaign, campaign_id).targeting_criteria = '{"events":["gone"]}'
    before = dump()
    stage.clock.move_to(SUNDAY_UTC - timedelta(hours=5))
    rehearsal = rehearse_campaign(stage.actor, campaign_id, stage.settings)
    found = {name: getattr(rehearsal, name) for name in Rehearsal.__table__.columns.keys()}  # noqa: SIM118
    assert dump() == before
    stage.run_due(SUNDAY_UTC)
    compare(stage.document(campaign_id), found)


def compare(document: dict[str, Any], found: dict[str, Any]) -> None:
    meta, results = document["metadata"], document["results"]
    verdict = found["verdict"]
    if document["status"] == "failed":
        assert (found["outcome"], found["people"]) == ("failure", None)
        assert meta["reprocess_error"] in found["sentence"]
        return
    assert found["estimate"] == meta["estimated_recipients"]
    assert found["people"] == meta["actual_recipients"]
    assert (found["joined"], found["left"]) == (meta["joined"], meta["left"])
    assert found["left_by_reason"] == meta["left_by_reason"]
    assert (found["outcome"] == "review") == (document["status"] == "needs_review")
    guards = meta["guards"] or {"blockers": [], "warnings": []}
    assert {name: verdict[name] for name in guards} == guards
    assert (meta["audience_note"] or "") in found["sentence"]
    if document["status"] != "needs_review":
        assert verdict["held_back_by_reason"] == results["held_back_by_reason"]
        assert verdict["waiting"] == results["waiting"].get("quiet_hours", 0)
        assert results["sent"] == found["people"] - results["held_back"] - verdict["waiting"]


def plan(stage: Stage, chosen: dict[str, Any]) -> int:
    again = AudienceMode(chosen["audience_mode"]).computes_again
    changes = {
        "criteria": Criteria(events=("show",)),
        "audience_mode": chosen["audience_mode"],
        "min_growth": chosen["min_growth"] if again else None,
        "guard_limits": chosen["limits"] or None if again else None,
        "on_failure": chosen["on_failure"],
        "quiet_hours": chosen["quiet_hours"],
    }
    return stage.for_sunday(again, **changes)


def clear(stage: Stage, crowd: list[int]) -> None:
    stage.clock.move_to(FRIDAY)
    for leftover in stage.settings.instance_path.glob("outbox.sqlite*"):
        leftover.unlink()
    tables = (Attempt, Rehearsal, Recipient, LeftOut, Notice, StaffMail, Campaign)
    with write():
        for table in tables:
            db.session.execute(sa.delete(table))
        own = sa.update(Person).where(Person.id == crowd[1]).values(phone=make_phone(999_999))
        db.session.execute(own)
        refresh_facts(stage.organisation_id, crowd[:2])


def arrange(stage: Stage, crowd: list[int], people: list[dict[str, Any]]) -> None:
    with write():
        db.session.execute(sa.delete(Attendance))
    for number, who in zip(crowd, people, strict=True):
        hours = who["messaged"]
        set_facts(
            number,
            blocked=who["blocked"],
            opted_out_sms=who["opted_out_sms"],
            phone_zones=who["phone_zones"],
            last_message_at=SUNDAY_UTC - timedelta(hours=hours) if hours else None,
        )
        if who["source"] is not None:
            stage.attend([number], who["source"])


def dump() -> list[list[Any]]:
    db.session.rollback()
    tables = (Recipient, LeftOut, Campaign, PersonFacts, Attempt, Notice, StaffMail)
    rows = [
        [
            tuple(row)
            for row in db.session.execute(
                sa.select(table.__table__).order_by(*table.__table__.primary_key)
            )
        ]
        for table in tables
    ]
    edits = sa.select(sa.func.count()).where(AuditEntry.action != "campaign.rehearse")
    return [*rows, [db.session.scalar(edits)]]
