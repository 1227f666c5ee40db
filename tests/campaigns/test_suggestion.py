"""C7: re-processing is suggested when people will still arrive before the message goes out."""

from datetime import timedelta

import pytest
import time_machine
from apiflask import APIFlask

from rollcall.audience.criteria import Criteria
from rollcall.campaigns.draft_preview import suggest_reprocessing
from rollcall.models import AudienceMode, Organisation
from tests.factories import NOON, make_event, make_organisation

ENDS = NOON + timedelta(days=1, hours=16)  # Saturday 23:00 in Toronto
SUNDAY = NOON + timedelta(days=2, hours=3)
BOTH = Criteria(events=("toronto", "vancouver"))


@pytest.fixture
def organisation(app: APIFlask) -> Organisation:
    organisation = make_organisation()
    make_event(organisation, "toronto", name="Toronto Night")
    make_event(
        organisation, "vancouver", name="Vancouver Night", starts_at=NOON + timedelta(days=30)
    )
    return organisation


def suggest(organisation: Organisation, **changes: object):
    values = {
        "criteria": Criteria(events=("toronto",)),
        "mode": AudienceMode.FROZEN,
        "moment": SUNDAY,
        "zone": "America/Toronto",
        **changes,
    }
    with time_machine.travel(NOON, tick=False):
        return suggest_reprocessing(organisation.id, **values)  # type: ignore[arg-type]


def test_a_message_after_an_event_that_is_still_to_come(organisation: Organisation):
    suggestion = suggest(organisation)
    assert suggestion is not None
    assert suggestion.sentence() == (
        "Toronto Night ends Sat 28 Nov 2026, 23:00 America/Toronto, and your message goes out "
        "Sun 29 Nov 2026, 10:00 America/Toronto: people who arrive by then get it only if the "
        "audience is re-processed."
    )


@pytest.mark.parametrize(
    "changes",
    [
        {"mode": AudienceMode.REPROCESS},
        {"moment": None},
        {"moment": ENDS - timedelta(minutes=1)},
        {"criteria": Criteria(cities=("Toronto",))},
        {"criteria": Criteria(people=(1,))},
        {"criteria": Criteria(events=("vancouver",))},
    ],
    ids=["chosen already", "at once", "before its end", "no event", "by hand", "another event"],
)
def test_nothing_is_suggested(organisation: Organisation, changes: dict[str, object]):
    assert suggest(organisation, **changes) is None


def test_an_event_that_is_over_brings_nobody_any_more(organisation: Organisation):
    with time_machine.travel(ENDS + timedelta(minutes=1), tick=False):
        found = suggest_reprocessing(
            organisation.id, BOTH, AudienceMode.FROZEN, SUNDAY, "America/Toronto"
        )
    assert found is None


def test_of_several_events_the_last_one_before_the_message_is_named(organisation: Organisation):
    make_event(organisation, "matinee", name="Matinee", starts_at=NOON + timedelta(hours=2))
    suggestion = suggest(organisation, criteria=Criteria(events=("matinee", "toronto")))
    assert suggestion is not None
    assert suggestion.event.slug == "toronto"
