"""Every route, as the right role, the wrong role, another organisation, nobody, with a bad id.

Routes are read from the application, so that a new one is covered without a line here; see
samples.py for a new kind of parameter.
"""

from collections.abc import Container, Iterator

import pytest
from apiflask import APIFlask
from flask import Blueprint
from werkzeug.routing import Rule

from blueprints.access import (
    Access,
    UndeclaredRoute,
    access_of,
    api_scope,
    enforce_access,
    public,
    staff_only,
)
from rollcall.accounts.tokens import SCOPES, create_token
from rollcall.models import Role
from tests.web.browser import Browser
from tests.web.samples import FORMS, MARK, QUERIES, World

READING = "GET"
CHANGING = ("POST", "PUT", "PATCH", "DELETE")


@pytest.fixture
def ours(app: APIFlask) -> World:
    # One route that breaks is a 500 in the list of failures, and the others are still tried.
    app.testing = False
    return World(app, "ours", MARK)


@pytest.fixture
def theirs(app: APIFlask) -> World:
    return World(app, "theirs", "Elsewhere")


def rules_of(app: APIFlask, *methods: str, by: str | None = None) -> Iterator[tuple[Rule, str]]:
    """Every rule with each of these methods it has; `by` is "role" or "scope"."""
    for rule in app.url_map.iter_rules():
        if rule.endpoint == "static" or (by and getattr(access_of(app, rule.endpoint), by) is None):
            continue
        for method in sorted(set(methods) & (rule.methods or set())):
            yield rule, method


def access_to(app: APIFlask, rule: Rule) -> Access:
    return access_of(app, rule.endpoint)


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


def none_of(failures: list[str]) -> None:
    assert not failures, "\n" + "\n".join(failures)


def test_every_route_declares_who_may_use_it(app: APIFlask):
    for rule in app.url_map.iter_rules():
        assert isinstance(access_of(app, rule.endpoint), Access)


def test_a_route_without_a_declaration_stops_the_start(own_app: APIFlask):
    forgetful = Blueprint("forgetful", __name__)
    forgetful.add_url_rule("/forgotten", "page", lambda: "secret")
    own_app.register_blueprint(forgetful)
    with pytest.raises(UndeclaredRoute, match=r"forgetful\.page"):
        enforce_access(own_app)


def test_nobody_is_asked_to_log_in(app: APIFlask, ours: World):
    failures = []
    for rule, method in rules_of(app, READING, *CHANGING, by="role"):
        path = ours.path_of(rule)
        response = Browser(app).open(method, path)
        if response.status_code != 302 or not response.location.startswith("/login"):
            failures.append(f"{method} {path}: {response.status_code} {response.location}")
    none_of(failures)


def test_nobody_is_asked_to_log_in_by_htmx_too(app: APIFlask, ours: World):
    failures = []
    for rule, method in rules_of(app, READING, *CHANGING, by="role"):
        path = ours.path_of(rule)
        response = Browser(app).open(method, path, headers={"HX-Request": "true"})
        redirect = response.headers.get("HX-Redirect", "")
        if response.status_code != 401 or not redirect.startswith("/login") or response.data:
            failures.append(f"{method} {path}: {response.status_code} {redirect}")
    none_of(failures)


def test_the_right_role_sees_every_page(app: APIFlask, ours: World):
    browsers = {role: ours.browser(role) for role in Role}
    failures = []
    for rule, method in rules_of(app, READING, by="role"):
        path, role = ours.path_of(rule), access_to(app, rule).role
        response = browsers[role].open(method, path)
        if response.status_code >= 400:
            failures.append(f"{path} as {role}: {response.status_code}")
    none_of(failures)


def test_a_role_below_is_refused_everywhere(app: APIFlask, ours: World):
    browsers = {role: ours.browser(role) for role in Role}
    failures = []
    for rule, method in rules_of(app, READING, *CHANGING, by="role"):
        path, wanted = ours.path_of(rule), access_to(app, rule).role
        for role in (role for role in Role if not role.at_least(wanted)):
            form = {"csrf_token": browsers[role].csrf_token()} if method != READING else None
            response = browsers[role].open(method, path, data=form)
            if response.status_code != 403:
                failures.append(f"{method} {path} as {role}: {response.status_code}")
    none_of(failures)


def test_another_organisation_finds_nothing_of_ours(app: APIFlask, ours: World, theirs: World):
    """A foreign id is answered as an id that does not exist, and no list shows what is ours."""
    browser = theirs.browser(Role.SUPER)
    failures = []
    for rule, method in rules_of(app, READING, by="role"):
        path = ours.path_of(rule)
        response = browser.open(method, path)
        if response.status_code not in _fitting_for_strangers(rule):
            failures.append(f"{path}: {response.status_code}")
        if MARK.lower() in response.text.lower():
            failures.append(f"{path}: shows what belongs to another organisation")
    none_of(failures)


def test_another_organisation_can_change_nothing_of_ours(app: APIFlask, ours: World, theirs: World):
    browser = theirs.browser(Role.SUPER)
    failures = []
    for rule, method in rules_of(app, *CHANGING, by="role"):
        if not rule.arguments:
            continue
        form = {"csrf_token": browser.csrf_token(), **FORMS.get(rule.endpoint, {})}
        foreign = browser.open(method, ours.path_of(rule), data=form)
        missing = browser.open(method, ours.missing_path_of(rule), data=form)
        if not foreign.status_code == missing.status_code == 404:
            failures.append(
                f"{method} {rule.rule}: {foreign.status_code} for a foreign id, "
                f"{missing.status_code} for one that nobody has, instead of 404 "
                "(if the form is what is wrong, give it what it needs: FORMS in samples.py)"
            )
    none_of(failures)


def test_a_bad_id_is_not_found(app: APIFlask, ours: World):
    browser = ours.browser(Role.SUPER)
    failures = []
    for rule, method in rules_of(app, READING, by="role"):
        for path in (ours.missing_path_of(rule), _with_huge_id(ours.missing_path_of(rule))):
            status = browser.open(method, path).status_code
            if rule.arguments and status != 404:
                failures.append(f"{path}: {status}")
    none_of(failures)


def test_every_form_needs_its_csrf_token(app: APIFlask, ours: World):
    browser = ours.browser(Role.SUPER)
    failures = []
    for rule, method in rules_of(app, *CHANGING):
        access = access_to(app, rule)
        if access.scope is None and not access.signed:
            status = browser.open(method, ours.path_of(rule), data={"csrf_token": "x"}).status_code
            if status != 400:
                failures.append(f"{method} {rule.rule}: {status}")
    none_of(failures)


def test_no_program_gets_in_without_a_token_that_fits(app: APIFlask, ours: World):
    """Without a token, with a made-up one, with one of another scope, or by a browser's cookie."""
    failures = []
    staff = ours.colleague.id
    for rule, method in rules_of(app, READING, *CHANGING, by="scope"):
        path, wanted = ours.path_of(rule), access_to(app, rule).scope
        others = [scope for scope in SCOPES if scope != wanted]
        other = create_token(ours.actor, "another scope", staff, others).plain
        answers = {
            "no token": (Browser(app).open(method, path), 401),
            "a made-up token": (Browser(app).open(method, path, headers=bearer("rc_x")), 401),
            "a cookie": (ours.browser(Role.SUPER).open(method, path), 401),
            "other scopes": (Browser(app).open(method, path, headers=bearer(other)), 403),
        }
        for name, (response, status) in answers.items():
            if (response.status_code, response.mimetype) != (status, "application/problem+json"):
                failures.append(f"{method} {path} with {name}: {response.status_code}")
    none_of(failures)


def test_a_program_of_another_organisation_finds_nothing_of_ours(
    app: APIFlask, ours: World, theirs: World
):
    """A foreign id is answered exactly as one that does not exist."""
    client = Browser(app)
    failures = []
    for rule, method in rules_of(app, READING, *CHANGING, by="scope"):
        body = None if method == READING else {}
        asked = {"headers": bearer(theirs.token), "json": body}
        foreign = client.open(method, ours.path_of(rule), **asked)
        if MARK.lower() in foreign.text.lower():
            failures.append(f"{method} {rule.rule}: shows what belongs to another organisation")
        if not rule.arguments:
            continue
        missing = client.open(method, ours.missing_path_of(rule), **asked)
        if foreign.status_code < 400 or foreign.status_code != missing.status_code:
            failures.append(f"{method} {rule.rule}: {foreign.status_code}, {missing.status_code}")
        if method == READING and foreign.status_code != 404:
            failures.append(f"{method} {rule.rule}: {foreign.status_code} instead of 404")
    none_of(failures)


def test_a_program_reads_what_is_its_own(app: APIFlask, ours: World):
    token = create_token(ours.actor, "reads all", ours.staff[Role.SUPER].id).plain
    failures = []
    for rule, method in rules_of(app, READING, by="scope"):
        path = ours.path_of(rule)
        response = Browser(app).open(method, path, headers=bearer(token))
        if response.status_code >= 400:
            failures.append(f"{path}: {response.status_code} {response.text}")
    none_of(failures)


def test_a_revoked_token_and_one_of_somebody_deactivated_are_refused(own_app: APIFlask):
    """Proven on a route of this test's own, so that it stands without the API."""
    seen = Blueprint("seen", __name__)
    seen.add_url_rule("/api/seen", "seen", api_scope("read")(lambda: "seen"))
    own_app.register_blueprint(seen)
    ours = World(own_app, "ours", MARK)
    client, browser = Browser(own_app), ours.browser(Role.SUPER)
    second = create_token(ours.actor, "second", ours.staff[Role.ADMIN].id).plain
    for token in (ours.token, second):
        assert client.get("/api/seen", headers=bearer(token)).text == "seen"
    browser.post(f"/tokens/{ours.token_id}/revoke")
    browser.post(f"/staff/{ours.staff[Role.ADMIN].id}/deactivate")
    for token in (ours.token, second):
        assert client.get("/api/seen", headers=bearer(token)).status_code == 401


def test_whoever_does_not_prove_to_be_ours_gets_in_nowhere(app: APIFlask, ours: World):
    """Every route that takes a proof instead of a log-in, without one: refused, and no error."""
    failures = []
    for rule, method in rules_of(app, READING, *CHANGING):
        if not access_to(app, rule).signed:
            continue
        for form in ({}, {"csrf_token": "x"}):
            status = Browser(app).open(method, ours.missing_path_of(rule), data=form).status_code
            if status not in (403, 404):
                failures.append(f"{method} {rule.rule}: {status}")
    none_of(failures)


def test_public_pages_need_nobody(own_app: APIFlask):
    open_to_all = Blueprint("open", __name__)
    open_to_all.add_url_rule("/open", "page", public(lambda: "open"))
    open_to_all.add_url_rule("/closed", "closed", staff_only(lambda: "closed"))
    own_app.register_blueprint(open_to_all)
    assert Browser(own_app).get("/open").text == "open"
    assert Browser(own_app).get("/closed").status_code == 302


def _fitting_for_strangers(rule: Rule) -> Container[int]:
    if rule.arguments:
        return (404,)
    return range(500) if rule.endpoint in QUERIES else range(400)


def _with_huge_id(path: str) -> str:
    return path.replace("987654321", "9" * 30)
