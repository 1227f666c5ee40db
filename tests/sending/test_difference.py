"""Both lists after any history, against a plain-Python reading of the rules."""

from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rollcall.audience.criteria import Criteria
from rollcall.extensions import db, write
from rollcall.models import Attempt, Attendance, Campaign, Recipient, Source
from tests.campaigns.stage import FRIDAY, Stage, assert_adds_up
from tests.factories import set_facts

PEOPLE = 8

person = st.fixed_dictionaries(
    {
        "registered": st.booleans(),
        "scanned": st.booleans(),
        "blocked": st.booleans(),
        "opted_out_sms": st.booleans(),
        "messaged": st.booleans(),
    }
)
population = st.lists(person, min_size=PEOPLE, max_size=PEOPLE)


def reason(who: dict[str, Any]) -> str | None:
    """Why this person is not in the audience, None for somebody who is."""
    if not (who["registered"] or who["scanned"]):
        return "criteria_no_longer_met"
    for fact, name in (
        ("blocked", "blocked"),
        ("opted_out_sms", "opted_out"),
        ("messaged", "recently_messaged"),
    ):
        if who[fact]:
            return name
    return None


@pytest.fixture
def crowd(stage: Stage) -> list[int]:
    return stage.people(PEOPLE, attending=None)


@settings(
    max_examples=40,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(friday=population, sunday=population)
def test_every_person_of_the_difference_is_accounted_for(stage, crowd, friday, sunday):
    stage.clock.move_to(FRIDAY)
    for leftover in stage.settings.instance_path.glob("outbox.sqlite*"):
        leftover.unlink()
    with write():
        for table in (Attempt, Recipient, Campaign):
            db.session.execute(sa.delete(table))
    arrange(stage, crowd, friday)
    campaign_id = stage.for_sunday(reprocess=True, criteria=Criteria(events=("show",)))
    arrange(stage, crowd, sunday)
    stage.run_on_sunday()

    estimate = {number for number, who in zip(crowd, friday, strict=True) if not reason(who)}
    final = {number for number, who in zip(crowd, sunday, strict=True) if not reason(who)}
    why = {number: reason(who) for number, who in zip(crowd, sunday, strict=True)}
    rows = {row.person_id: row for row in stage.recipients(campaign_id)}
    assert set(rows) == estimate | final
    assert {number for number, row in rows.items() if row.in_estimate} == estimate
    assert {number for number, row in rows.items() if row.in_final} == final
    left = {number: row.left_reason.key for number, row in rows.items() if row.left_reason}
    assert left == {number: why[number] for number in estimate - final}
    ways = {
        number: who["registered"] * 1 + who["scanned"] * 2
        for number, who in zip(crowd, sunday, strict=True)
    }
    assert {number: rows[number].final_source for number in final} == {
        number: ways[number] for number in final
    }
    assert stage.reached(campaign_id) == sorted(final)
    assert_adds_up(stage.document(campaign_id))


def arrange(stage: Stage, crowd: list[int], population: list[dict[str, Any]]) -> None:
    """Make the crowd what the population says."""
    with write():
        db.session.execute(sa.delete(Attendance))
    for number, who in zip(crowd, population, strict=True):
        for there, source in (
            (who["registered"], Source.REGISTRATION),
            (who["scanned"], Source.QR_SCAN),
        ):
            if there:
                stage.attend([number], source)
        set_facts(
            number,
            blocked=who["blocked"],
            opted_out_sms=who["opted_out_sms"],
            last_message_at=FRIDAY if who["messaged"] else None,
        )
