"""Every cell of docs/roles.md: what a role may do works, what it may not is refused and undone.

The table is read from the document itself. In the browser each right is used in earnest, see
`deeds`; by the API each call is made with a token of each role, and answers a role that may as
it answers a super (which for some calls is a 409, as what they are about is not there).
"""

from collections.abc import Callable
from typing import Any

import pytest
import sqlalchemy as sa
from apiflask import APIFlask
from werkzeug.routing import Rule

from blueprints.access import access_of
from rollcall.accounts.passwords import hash_password
from rollcall.audience.criteria import Criteria
from rollcall.campaigns.drafts import CampaignDraft, create_campaign
from rollcall.campaigns.guards import DEFAULT_LIMITS
from rollcall.campaigns.scheduling import schedule_campaign, send_campaign_now
from rollcall.extensions import db, write
from rollcall.models import (
    AudienceMode,
    Campaign,
    CampaignState,
    Channel,
    Organisation,
    Role,
    StaffMember,
    StaffSession,
)
from rollcall.sending.due import run_due_campaigns
from tests.api.client import Program, make_token
from tests.api.conftest import acme, party  # noqa: F401 (fixtures)
from tests.api.test_access import CALLS, make_first, send
from tests.factories import attend, make_actor, make_event, make_people
from tests.roles import campaign_deeds, people_deeds, staff_deeds  # noqa: F401 (they fill DEEDS)
from tests.roles.deeds import DEEDS
from tests.roles.table import Row, Way, read_limits, read_public_ways, read_rights
from tests.web.browser import PASSWORD, Browser
from tests.web.campaigns import words
from tests.web.samples import MARK, World

RIGHTS = read_rights()
API = "/api/"
# Looking at a page keeps when somebody was last seen, and a call when its token was used.
NOT_COUNTED = ("staff_session", "api_token")

Snapshot = dict[str, list[Any]]


def stored() -> Snapshot:
    """Every row of every table, but for what is written by looking."""
    db.session.rollback()
    tables = [table for table in db.metadata.sorted_tables if table.name not in NOT_COUNTED]
    found = {
        table.name: sorted(map(repr, db.session.execute(sa.select(table)).all()))
        for table in tables
    }
    open_sessions = sa.select(StaffSession.id).where(StaffSession.ended_at.is_(None))
    return {**found, "sessions": sorted(db.session.scalars(open_sessions).all())}


def changed(before: Snapshot) -> list[str]:
    after = stored()
    return [name for name, rows in after.items() if rows != before[name]]


def none_of(failures: list[str]) -> None:
    assert not failures, "\n" + "\n".join(failures)


def rule_of(app: APIFlask, way: Way) -> Rule:
    for rule in app.url_map.iter_rules():
        if rule.rule == way.address and way.method in (rule.methods or ()):
            return rule
    raise AssertionError(f"docs/roles.md names {way.key}, which is nowhere")


def rows_with(wanted: Callable[[Way], bool]) -> list[Any]:
    return [
        pytest.param(row, id=row.what[:60])
        for row in RIGHTS
        if any(wanted(way) for way in row.ways)
    ]


def is_page(way: Way) -> bool:
    return way.method == "GET" and not way.address.startswith(API)


def is_form(way: Way) -> bool:
    return way.method == "POST" and not way.address.startswith(API)


def is_call(way: Way) -> bool:
    return way.address.startswith(API)


@pytest.fixture
def world(app: APIFlask) -> World:
    # A page that breaks is a line in the list of failures, and the others are still tried.
    app.testing = False
    app.config.update(LOGIN_LIMIT="1000 per minute", RESET_LIMIT="1000 per minute")
    return World(app, "ours", MARK)


@pytest.mark.parametrize("role", list(Role))
def test_every_page_is_shown_to_whom_the_table_says(app: APIFlask, world: World, role: Role):
    browser = world.browser(role)
    failures = []
    for row in RIGHTS:
        for way in filter(is_page, row.ways):
            status = browser.get(world.path_of(rule_of(app, way))).status_code
            if (status < 400) != row.allowed[role] or (not row.allowed[role] and status != 403):
                failures.append(f"{role}: {row.what}: {way.key}: {status}")
    none_of(failures)


class Browsers:
    """For each role a browser in which somebody of that role is logged in, whatever was done."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.open: dict[Role, Browser] = {}

    def of(self, role: Role) -> Browser:
        if role not in self.open or not self.open[role].is_logged_in:
            # What was tried before has perhaps changed the password.
            with write():
                staff = db.session.get_one(StaffMember, self.world.staff[role].id)
                staff.password_hash = hash_password(PASSWORD)
            self.open[role] = self.world.browser(role)
        return self.open[role]


@pytest.mark.parametrize("row", rows_with(is_form))
def test_what_the_table_allows_works_and_what_it_does_not_changes_nothing(world: World, row: Row):
    browsers = Browsers(world)
    failures = []
    for way in filter(is_form, row.ways):
        for role in Role:
            failures += try_form(world, browsers.of(role), way, role, row.allowed[role])
    none_of([f"{row.what}: {failure}" for failure in failures])


def try_form(world: World, browser: Browser, way: Way, role: Role, allowed: bool) -> list[str]:
    deed = DEEDS[way.key](world, role)
    form = {**deed.form, "csrf_token": browser.csrf_token()}
    before = stored()
    answer = browser.open("POST", deed.path, data=form)
    status, touched = answer.status_code, changed(before)
    if not allowed:
        right = status == deed.refused and not touched
    elif deed.changes:
        right = status < 400 and bool(touched)
    else:
        right = status < 400 or status == 409
    wanted = "is to work" if allowed else "is to be refused"
    said = f"{way.key} as {role} {wanted}: {status}, changed {touched}: {said_in(answer.text)}"
    return [] if right else [said]


def said_in(page: str) -> str:
    return words(page.partition("<main")[2])[:400]


def calls_of(way: Way) -> list[tuple[str, str, Any, int]]:
    """The call that tests/api tries at this address."""
    return [call for call in CALLS if call[0] == way.method and fits(way.address, call[1])]


def fits(address: str, path: str) -> bool:
    pattern = address.removeprefix("/api/v1").split("/")
    parts = path.split("/")
    return len(pattern) == len(parts) and all(
        (want.startswith("<") and part in ("1", "party")) or want == part
        for want, part in zip(pattern, parts, strict=True)
    )


@pytest.fixture
def supers(app: APIFlask, acme: Organisation, party: Any) -> Program:  # noqa: F811
    """A super's program, with what the calls are about."""
    program = Program(app, make_token(acme))
    make_first(program)
    return program


def answers_of(way: Way, program: Program, allowed: bool) -> list[str]:
    [(method, path, body, status), *_] = calls_of(way)
    before = None if allowed else stored()
    answer = send(program, method, path, body)
    touched = changed(before) if before is not None else []
    if answer.status_code == (status if allowed else 403) and not touched:
        return []
    return [f"{way.key}: {answer.status_code}, changed {touched}: {answer.text}"]


@pytest.mark.usefixtures("supers")
@pytest.mark.parametrize("role", list(Role))
def test_a_program_reads_what_its_staff_member_may(
    app: APIFlask,
    acme: Organisation,  # noqa: F811
    role: Role,
):
    program = Program(app, make_token(acme, role=role))
    ways = [(row, way) for row in RIGHTS for way in row.ways if is_call(way)]
    failures = []
    for row, way in ways:
        if way.method == "GET":
            failures += answers_of(way, program, row.allowed[role])
    none_of(failures)


CHANGES = [
    pytest.param(row, way, role, id=f"{way.key} as {role}")
    for row in RIGHTS
    for way in row.ways
    if is_call(way) and way.method != "GET"
    for role in Role
]


@pytest.mark.usefixtures("supers")
@pytest.mark.parametrize(("row", "way", "role"), CHANGES)
def test_a_program_changes_what_its_staff_member_may(
    app: APIFlask,
    acme: Organisation,  # noqa: F811
    row: Row,
    way: Way,
    role: Role,
):
    program = Program(app, make_token(acme, role=role))
    none_of(answers_of(way, program, row.allowed[role]))


def test_no_address_is_missing_and_none_stands_in_two_rows(app: APIFlask):
    named = [way for row in RIGHTS for way in row.ways]
    public = {(way.method, way.address) for way in read_public_ways()}
    known = {(way.method, way.address) for way in named} | public
    twice = {way.key for way in named if [one.key for one in named].count(way.key) > 1}
    assert not twice, "these stand in two rows: say by a word in brackets which case is meant"
    missing, wrong = [], []
    for rule in app.url_map.iter_rules():
        if rule.endpoint == "static":
            continue
        access = access_of(app, rule.endpoint)
        for method in sorted((rule.methods or set()) - {"HEAD", "OPTIONS"}):
            if (method, rule.rule) not in known:
                missing.append(f"{method} {rule.rule}")
            elif ((method, rule.rule) in public) != (access.role is None and access.scope is None):
                wrong.append(f"{method} {rule.rule}")
    none_of([f"{one} stands in no row of docs/roles.md" for one in missing])
    none_of([f"{one} is public in the one and not in the other" for one in wrong])


def test_every_form_has_a_deed_and_every_call_is_tried(app: APIFlask):
    ways = [way for row in RIGHTS for way in row.ways]
    forms = {way.key for way in ways if is_form(way)}
    assert forms - set(DEEDS) == set(), "add how it is done to tests/roles/deeds.py"
    assert set(DEEDS) - forms == set(), "these stand in no row of docs/roles.md"
    assert [way.key for way in ways if is_call(way) and not calls_of(way)] == []
    for way in [*ways, *read_public_ways()]:
        rule_of(app, way)


GROWTH = [(role, limit) for role, limit in read_limits()["growth in percent"].items()]


@pytest.mark.parametrize(("role", "percent"), GROWTH)
@pytest.mark.parametrize("beyond", [False, True], ids=["at the limit", "beyond it"])
def test_a_campaign_stops_beyond_the_limit_of_who_scheduled_it(
    app: APIFlask, role: Role, percent: int, beyond: bool
):
    actor = make_actor(role=role)
    organisation = db.session.get_one(Organisation, actor.organisation_id)
    event = make_event(organisation, "show")
    attend(event, make_people(organisation, 1))
    draft = CampaignDraft(
        name="Doors open",
        channel=Channel.SMS,
        message="Doors open at 7",
        criteria=Criteria(events=("show",)),
        audience_mode=AudienceMode.REPROCESS,
        local_time="2100-01-01T10:00",
        timezone="UTC",
    )
    campaign_id = create_campaign(actor, draft)
    schedule_campaign(actor, campaign_id)
    attend(event, make_people(organisation, percent // 100 + beyond))
    send_campaign_now(actor, campaign_id)
    db.session.rollback()
    run_due_campaigns(app.extensions["rollcall"])
    db.session.rollback()
    campaign = db.session.get_one(Campaign, campaign_id)
    expected = CampaignState.NEEDS_REVIEW if beyond else CampaignState.COMPLETED
    assert campaign.state == expected, campaign.state_note


@pytest.mark.parametrize(
    ("name", "attribute"),
    [
        ("growth in percent", "growth_percent"),
        ("growth in people", "growth_people"),
        ("most people in all", "ceiling"),
        ("fall in percent that warns", "fall_percent"),
    ],
)
def test_the_limits_are_those_that_guard(name: str, attribute: str):
    told = read_limits()[name]
    assert told == {role: getattr(limits, attribute) for role, limits in DEFAULT_LIMITS.items()}
    assert not any(limits.fall_stops for limits in DEFAULT_LIMITS.values())
