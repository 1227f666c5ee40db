"""Creating organisations and what can be set for them."""

from datetime import time

import pytest
import sqlalchemy as sa

from rollcall.accounts.settings import create_organisation, format_quiet_hours, set_organisation
from rollcall.errors import InvalidInput, NotAllowed
from rollcall.extensions import db
from rollcall.models import AuditEntry, Organisation, Role
from rollcall.text import check_slug, make_slug
from tests.factories import make_actor, make_organisation

pytestmark = pytest.mark.usefixtures("app")


def test_a_new_organisation_has_what_the_contract_says():
    created = create_organisation("  Art  Battle Montréal ")
    assert (created.name, created.slug) == ("Art Battle Montréal", "art-battle-montreal")
    assert (created.country, created.timezone) == ("CA", "America/Toronto")
    assert (created.quiet_until, created.quiet_from) == (time(8), time(21))
    entry = db.session.scalars(sa.select(AuditEntry)).one()
    assert (entry.action, entry.organisation_id) == ("organisation.create", created.id)
    assert entry.after["quiet_hours"] == "08:00-21:00"


def test_two_organisations_can_not_share_a_slug():
    create_organisation("Acme")
    with pytest.raises(InvalidInput, match="slug: The slug acme is taken"):
        create_organisation("ACME!")
    assert db.session.scalar(sa.select(sa.func.count(Organisation.id))) == 1


def test_all_that_is_wrong_is_said_at_once():
    with pytest.raises(InvalidInput) as raised:
        create_organisation(" ", country="Canada", timezone="Moon/Sea", quiet_hours="soon")
    assert set(raised.value.fields) == {"name", "country", "timezone", "quiet_hours"}


@pytest.mark.parametrize("text", ["21:00-08:00", "08:00", "08:00-08:00", "8-21", "25:00-26:00", ""])
def test_hours_that_can_not_be_right_are_refused(text):
    with pytest.raises(InvalidInput, match="the earlier first"):
        create_organisation("Acme", quiet_hours=text)


@pytest.mark.parametrize("text", ["off", "09:30-20:15"])
def test_quiet_hours_come_back_as_they_were_given(text):
    assert format_quiet_hours(create_organisation("Acme", quiet_hours=text)) == text


def test_only_what_is_given_changes_and_the_audit_trail_keeps_both():
    organisation = make_organisation(name="Before", country="CA")
    set_organisation(make_actor(organisation), country="us")
    changed = db.session.get_one(Organisation, organisation.id)
    assert (changed.name, changed.country) == ("Before", "US")
    entry = db.session.scalars(sa.select(AuditEntry)).one()
    assert (entry.before["country"], entry.after["country"]) == ("CA", "US")


def test_setting_what_is_set_already_leaves_no_trace():
    organisation = make_organisation(country="CA")
    set_organisation(make_actor(organisation), country="CA")
    assert db.session.scalar(sa.select(sa.func.count(AuditEntry.id))) == 0


def test_quiet_hours_take_a_super_and_the_rest_an_admin():
    organisation = make_organisation()
    with pytest.raises(NotAllowed):
        set_organisation(make_actor(organisation, Role.STAFF), name="Mine")
    with pytest.raises(NotAllowed):
        set_organisation(
            make_actor(organisation, Role.ADMIN), name="Mine", quiet_hours="09:00-10:00"
        )
    assert db.session.get_one(Organisation, organisation.id).name != "Mine"


@pytest.mark.parametrize(
    ("name", "slug"),
    [("Art Battle Toronto", "art-battle-toronto"), ("  Été!  2026 ", "ete-2026"), ("大阪", "")],
)
def test_a_slug_is_made_of_what_is_latin_in_a_name(name, slug):
    assert make_slug(name) == slug


@pytest.mark.parametrize(
    "slug", ["", "Upper", "two--hyphens", "-a", "a-", "a b", "é", "a\n", "x" * 81]
)
def test_a_slug_that_can_not_stand_in_an_address_is_refused(slug):
    with pytest.raises(InvalidInput, match="slug"):
        check_slug(slug)
