"""Trying a campaign out in the browser: dry run, a test to oneself, who else wants the people."""

import re

import pytest
import sqlalchemy as sa

from rollcall.audience.criteria import Criteria
from rollcall.campaigns import collision_report
from rollcall.extensions import db
from rollcall.models import Campaign, StaffMember, TrialMessage
from rollcall.providers.simulator import OutboxMessage, read_outbox
from tests.factories import make_people
from tests.web.campaigns import Desk, words

PHONE = "+14165550199"
DRY = {"dry_run": "1", "dry_run_address": "416 555 0199", "dry_run_limit": "2"}


def outbox(desk: Desk) -> list[OutboxMessage]:
    return read_outbox(desk.app.extensions["rollcall"].outbox_path, desk.organisation.id)


# Dry run


def test_a_dry_run_from_the_form_to_the_real_one(desk: Desk):
    answer = desk.browser.post("/campaigns/new", desk.form(when="now", **DRY))
    campaign_id = desk.newest().id
    assert answer.location == f"/campaigns/{campaign_id}/confirm"
    assert (desk.newest().dry_run_address, desk.newest().dry_run_limit) == (PHONE, 2)
    page = desk.read(f"/campaigns/{campaign_id}/confirm")
    assert "A dry run: nobody of the list is messaged" in page
    assert "though the list is frozen" in page
    assert "2 messages at most" in page
    assert "Start the dry run" in page
    desk.browser.post(f"/campaigns/{campaign_id}/send")
    assert "Dry run" in desk.read("/campaigns")
    desk.run_due()
    page = desk.read(f"/campaigns/{campaign_id}")
    assert "What the real one would do" in page
    assert "The 3 people of the frozen list, less whoever can't be messaged by then" in page
    assert "about $0.03 for 3 people" in page
    assert f"2 messages to {PHONE}" in page
    assert "Thanks Ann As written for Ann" in page
    assert "Thanks Cid As written for Cid" in page
    assert page.count("Accepted The provider took it.") == 2
    assert "What became of the messages" not in page
    assert "Top up" not in page
    assert "Dry run" in desk.read("/events/night")
    answer = desk.browser.post(f"/campaigns/{campaign_id}/for-real")
    real = desk.newest()
    assert answer.location == f"/campaigns/{real.id}/edit"
    assert (real.state, real.dry_run_address, real.message) == (
        "draft",
        None,
        "Thanks %%FIRST_NAME%%",
    )
    assert "This is the real campaign, a draft without a time." in desk.read(answer.location)
    assert "Dry run: message nobody" in desk.read(answer.location)


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ({"dry_run_address": ""}, "Give the phone that it is to go to."),
        ({"dry_run_address": "12"}, "12"),
        ({"dry_run_limit": "many"}, "Give a whole number, such as 5."),
        ({"dry_run_limit": "51"}, "from 1 to 50"),
        ({"dry_run_limit": "-1"}, "Give a whole number"),
    ],
)
def test_a_refused_dry_run_keeps_what_was_typed(desk: Desk, typed: dict[str, str], said: str):
    answer = desk.browser.post("/campaigns/new", desk.form(**{**DRY, **typed}))
    assert answer.status_code == 422
    assert said in words(answer.text)
    for name, value in {**DRY, **typed}.items():
        field = re.search(rf'<input[^>]*name="{name}"[^>]*>', answer.text)
        assert field
        assert f'value="{value}"' in field[0]
    assert 'name="dry_run" value="1" checked' in answer.text
    assert db.session.scalar(sa.select(sa.func.count()).select_from(Campaign)) == 0


def test_unticked_it_is_none_whatever_stands_in_its_fields(desk: Desk):
    fields = {name: value for name, value in DRY.items() if name != "dry_run"}
    desk.browser.post("/campaigns/new", desk.form(**{**fields, "dry_run_address": "nonsense"}))
    assert desk.newest().dry_run_address is None
    form = desk.browser.get(f"/campaigns/{desk.newest().id}/edit").text
    assert 'name="dry_run" value="1" checked' not in form


def test_a_campaign_that_is_no_dry_run_is_not_made_real(desk: Desk):
    answer = desk.browser.post(f"/campaigns/{desk.draft()}/for-real")
    assert answer.status_code == 409
    assert "is no dry run" in words(answer.text)


def test_it_is_not_offered_among_those_whose_people_may_be_left_out(desk: Desk):
    desk.scheduled(name="Only a trial", dry_run_address=PHONE)
    desk.scheduled(name="A real one")
    page = desk.read("/campaigns/new")
    assert "A real one" in page
    assert "Only a trial" not in page


# A test to oneself


def test_a_test_from_the_form_as_it_is_typed(desk: Desk):
    form = desk.form(message="Hello %%FIRST_NAME%%", test_phone=PHONE, sample=desk.people[2])
    fragment = desk.browser.post("/campaigns/form/test", form, headers={"HX-Request": "true"})
    assert words(fragment.text) == (
        f"A test to {PHONE} Simulator took it. It should be there in a minute."
    )
    assert [(one.address, one.text) for one in outbox(desk)] == [(PHONE, "Hello Cid")]
    assert db.session.scalar(sa.select(sa.func.count()).select_from(Campaign)) == 0
    trial = db.session.scalars(sa.select(TrialMessage)).one()
    assert (trial.campaign_id, trial.person_id) == (None, desk.people[2])


def test_the_same_without_htmx_keeps_the_form(desk: Desk):
    form = desk.form(name="Half written", action="test", test_phone=PHONE)
    answer = desk.browser.post("/campaigns/new", form)
    assert answer.status_code == 200
    assert f"A test to {PHONE}" in words(answer.text)
    assert 'value="Half written"' in answer.text
    assert len(outbox(desk)) == 1
    # The phone is remembered for the next form.
    assert f'value="{PHONE}"' in desk.browser.get("/campaigns/new").text


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ({"test_phone": ""}, "Give the phone that it is to go to."),
        ({"test_phone": PHONE, "message": ""}, "Write the message."),
        ({"test_phone": PHONE, "message": "%%NAMEE%%"}, "%%NAMEE%%"),
        ({"test_phone": PHONE, "message": "%%LINK%%"}, "give the address it leads to"),
    ],
)
def test_what_keeps_a_test_from_going(desk: Desk, typed: dict[str, str], said: str):
    answer = desk.browser.post("/campaigns/form/test", desk.form(**typed))
    assert answer.status_code == 200
    assert "No test was sent" in words(answer.text)
    assert said in words(answer.text)
    assert outbox(desk) == []


def test_without_an_audience_an_invented_person_reads_it(desk: Desk):
    form = desk.form(events=[], message="Hi %%NAME%%", test_phone=PHONE)
    desk.browser.post("/campaigns/form/test", form)
    assert [one.text for one in outbox(desk)] == ["Hi Sarah Miller"]


def test_a_test_of_a_stored_campaign(desk: Desk):
    for campaign_id in (desk.draft(), desk.scheduled()):
        assert "Send a test to me" in desk.read(f"/campaigns/{campaign_id}")
        here = f"/campaigns/{campaign_id}/test"
        answer = desk.browser.post(here, {"address": PHONE})
        assert answer.location == f"/campaigns/{campaign_id}"
        assert f"A test to {PHONE}: Simulator took it." in desk.read(answer.location)
        assert outbox(desk)[0].text == "Thanks Ann"
        refused = desk.browser.post(here, {"address": "12 34"})
        assert refused.status_code == 422
        assert 'value="12 34"' in refused.text
        assert '<details class="confirm confirm-plain" open>' in refused.text
    for _ in range(8):
        desk.browser.post(here, {"address": PHONE})
    refused = desk.browser.post(here, {"address": PHONE})
    assert refused.status_code == 429
    assert "10 tests within a minute" in words(refused.text)
    assert f'value="{PHONE}"' in refused.text
    assert len(outbox(desk)) == 10


def test_an_email_names_the_address_it_goes_to(desk: Desk):
    campaign_id = desk.draft(channel="email", subject="Thanks")
    own = db.session.get_one(StaffMember, desk.actor.staff_id).email
    assert f"One e-mail goes to {own}" in desk.read(f"/campaigns/{campaign_id}")
    desk.browser.post(f"/campaigns/{campaign_id}/test")
    assert [(one.address, one.subject) for one in outbox(desk)] == [(own, "[Test] Thanks")]


# Collisions


@pytest.fixture
def doors(desk: Desk) -> int:
    """A campaign for Ann and Bob, 16 hours before the others."""
    criteria = Criteria(people=tuple(desk.people[:2]), window_hours=1)
    return desk.scheduled(
        name="Doors open at 7", criteria=criteria, local_time=desk.local(days=3, hours=-16)
    )


def test_before_the_button_and_afterwards(desk: Desk, doors: int):
    draft = desk.draft()
    said = "2 of these 3 will have had “Doors open at 7” 16 h before (window 72 h)."
    page = desk.read(f"/campaigns/{draft}/confirm")
    assert "Another campaign wants the same people" in page
    assert "So 1 person of 3 would get this one." in page
    assert "Sent the other way round, no message would be missed instead of 2." in page
    assert page.index(said) < page.index("Schedule it")
    desk.browser.post(f"/campaigns/{draft}/schedule", {"version": desk.campaign(draft).version})
    assert said in desk.read(f"/campaigns/{draft}")
    page = desk.read(f"/campaigns/{doors}")
    assert "2 will miss “Thank you”: they will have had this one 16 h before it" in page
    assert "wants the same people" not in desk.read(f"/campaigns/{desk.draft()}")


def test_large_lists_are_counted_after_the_page_is_there(
    desk: Desk, doors: int, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(collision_report, "LARGE", 1)
    draft, said = desk.draft(), "2 of these 3 will have had “Doors open at 7” 16 h before"
    here = f"/campaigns/{draft}/collisions"
    page = desk.browser.get(f"/campaigns/{draft}/confirm").text
    assert "16 h before" not in words(page)
    assert f'hx-get="{here}" hx-trigger="load"' in page
    assert f'<a href="{here}">' in page
    assert said in desk.read(here)
    fragment = desk.browser.get(here, headers={"HX-Request": "true"}).text
    assert said in words(fragment)
    assert "<h1>" not in fragment
    assert "Nobody is lost" in desk.read(f"/campaigns/{doors}/collisions")


def test_the_number_opens_the_people(desk: Desk, doors: int):
    campaign_id = desk.scheduled()
    page = desk.browser.get(f"/campaigns/{campaign_id}").text
    found = re.search(r'href="(/campaigns/\d+/collided\?[^"]+)"', page)
    assert found
    address = found[1].replace("&amp;", "&")
    text = desk.read(address)
    assert "Who would miss “Thank you”" in text
    assert "They will have had “Doors open at 7” shortly before." in text
    assert ("Ann" in text, "Bob" in text, "Cid" in text) == (True, True, False)
    text = desk.read(address + "&q=bob")
    assert ("Ann" in text, "Bob" in text) == (False, True)
    assert "Nobody of them fits this search." in desk.read(address + "&q=nobody")
    assert desk.browser.get(f"/campaigns/{campaign_id}/collided").status_code == 302
    for wrong in ("with=987654321", f"with={doors}&side=up", f"with={campaign_id}"):
        status = desk.browser.get(f"/campaigns/{campaign_id}/collided?{wrong}").status_code
        assert status in (400, 404)


def test_many_people_are_paged(desk: Desk):
    people = tuple(make_people(desk.organisation, 60))
    first = desk.scheduled(criteria=Criteria(people=people))
    later = desk.scheduled(criteria=Criteria(people=people), local_time=desk.local(days=3, hours=1))
    address = f"/campaigns/{later}/collided?with={first}&side=loses"
    page = desk.browser.get(address).text
    following = re.search(r'href="([^"]*after=\d+[^"]*)"', page)
    assert following
    assert len(re.findall(r'href="/people/\d+"', page)) == 50
    rest = desk.browser.get(following[1].replace("&amp;", "&")).text
    assert len(re.findall(r'href="/people/\d+"', rest)) == 10
