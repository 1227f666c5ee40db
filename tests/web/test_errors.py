"""Each error as a page, as a fragment for htmx, and as a problem document for programs."""

import json
from collections.abc import Callable

import pytest
from apiflask import APIFlask
from flask import Blueprint, abort

from blueprints.access import public
from rollcall.errors import Conflict, DomainError, InvalidInput, NotAllowed, NotFound
from rollcall.models import Role
from tests.web.browser import Browser

HTMX = {"HX-Request": "true"}


def _fail(error: Exception | int) -> Callable[[], str]:
    def view() -> str:
        if isinstance(error, int):
            abort(error)
        raise error

    return public(view)


@pytest.fixture
def app(own_app: APIFlask) -> APIFlask:
    """An application of the test's own, which gets routes that fail."""
    return own_app


@pytest.fixture
def failing(app: APIFlask) -> Callable[..., Browser]:
    """Returns a browser for an app whose /fails and /api/fails raise this error."""

    def make(error: Exception | int) -> Browser:
        routes = Blueprint("failing", __name__)
        routes.add_url_rule("/fails", "page", _fail(error))
        routes.add_url_rule("/api/fails", "program", _fail(error))
        app.register_blueprint(routes)
        return Browser(app)

    return make


DOMAIN_ERRORS = [
    (NotFound("There is no such campaign."), 404, 404),
    (NotAllowed("Your role does not allow it."), 403, 403),
    (Conflict("It is being sent already."), 409, 409),
    (DomainError("That can't be."), 400, 400),
    (InvalidInput({"name": "Give it a name."}), 400, 422),
]


@pytest.mark.parametrize(("error", "page_status", "program_status"), DOMAIN_ERRORS)
def test_a_domain_error_speaks_its_own_words_in_each_form(
    failing, error, page_status, program_status
):
    browser = failing(error)
    words = "Give it a name." if isinstance(error, InvalidInput) else str(error)
    words_in_html = words.replace("'", "&#39;")

    page = browser.get("/fails")
    assert page.status_code == page_status
    assert page.text.lstrip().startswith("<!doctype html>")
    assert words_in_html in page.text

    fragment = browser.get("/fails", headers=HTMX)
    assert fragment.status_code == page_status
    assert "<html" not in fragment.text
    assert words_in_html in fragment.text

    problem = browser.get("/api/fails")
    assert problem.status_code == program_status
    assert problem.mimetype == "application/problem+json"
    document = problem.get_json(force=True)
    assert document["status"] == program_status
    assert words in document["detail"]


def test_a_problem_names_each_wrong_field(failing):
    browser = failing(InvalidInput({"phone": "It has no digits.", "email": "It has no @."}))
    assert browser.get("/api/fails").get_json(force=True)["errors"] == [
        {"field": "phone", "message": "It has no digits."},
        {"field": "email", "message": "It has no @."},
    ]


@pytest.mark.parametrize("status", [400, 403, 404, 405, 409, 410, 413, 415, 422, 429, 500, 503])
def test_every_http_error_is_a_page_a_fragment_and_a_problem(failing, status):
    browser = failing(status)
    shown = 400 if status == 422 else status  # htmx would take a 422 for a form that comes back
    page = browser.get("/fails")
    assert page.status_code == shown
    assert "<h1>" in page.text
    assert "<html" not in browser.get("/fails", headers=HTMX).text
    problem = browser.get("/api/fails")
    assert (problem.status_code, problem.mimetype) == (status, "application/problem+json")


def test_what_was_not_expected_is_logged_under_the_reference_that_people_see(app, failing, capsys):
    app.testing = False
    browser = failing(RuntimeError("the row of sue@example.org broke"))
    page = browser.get("/fails")
    lines = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    logged = next(line for line in lines if line["event"] == "unexpected error")
    assert page.status_code == 500
    assert f"<code>{logged['reference']}</code>" in page.text
    assert "RuntimeError" in logged["exception"]
    assert "sue@" not in logged["exception"]
    assert "Traceback" not in page.text
    assert "RuntimeError" not in page.text
    problem = browser.get("/api/fails").get_json(force=True)
    assert problem["status"] == 500
    assert problem["reference"]


def test_the_page_for_an_unexpected_error_asks_the_database_nothing(app, failing, log_in):
    """A broken database must not break the page that says so."""
    browser = failing(RuntimeError("broken"))
    browser.client = log_in(Role.STAFF).client
    app.testing = False
    page = browser.get("/fails").text
    assert "Something broke on our side" in page
    assert "Log out" not in page


def test_an_address_that_leads_nowhere_is_said_in_the_form_asked_for(browser):
    assert "There is nothing here" in browser.get("/nowhere").text
    assert browser.get("/api/nowhere").mimetype == "application/problem+json"
    assert browser.get("/webhooks/nowhere").mimetype == "application/problem+json"


def test_a_wrong_method_names_the_right_ones(browser):
    response = browser.open("PUT", "/login")
    assert response.status_code == 405
    assert "POST" in response.headers["Allow"]


@pytest.mark.parametrize("path", ["/staff?x=%00", "/login?next=%00", "/a%00b"])
def test_a_character_that_no_text_can_have_is_refused(log_in, path):
    assert log_in(Role.SUPER).get(path).status_code == 400


def test_a_form_with_a_character_that_no_text_can_have_is_refused(log_in):
    browser = log_in(Role.SUPER)
    assert browser.post("/settings", {"name": "a\0b"}).status_code == 400
