"""The response headers that keep pages safe, and what browsers may keep."""

import dataclasses

import pytest
from apiflask import APIFlask

from app import create_app
from rollcall.models import Role
from tests.web.browser import Browser


@pytest.mark.parametrize("path", ["/login", "/nowhere", "/healthz", "/static/app.css"])
def test_every_response_forbids_what_is_inline_and_what_is_elsewhere(browser, path):
    headers = browser.get(path).headers
    policy = dict(part.split(" ", 1) for part in headers["Content-Security-Policy"].split("; "))
    assert policy["default-src"] == policy["script-src"] == policy["style-src"] == "'self'"
    assert policy["frame-ancestors"] == policy["object-src"] == policy["base-uri"] == "'none'"
    assert policy["form-action"] == "'self'"
    assert "unsafe" not in headers["Content-Security-Policy"]
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Referrer-Policy"] == "same-origin"
    assert "camera=()" in headers["Permissions-Policy"]


def test_no_browser_keeps_a_page(log_in):
    assert log_in(Role.STAFF).get("/profile").headers["Cache-Control"] == "no-store"


def test_static_files_are_kept_and_asked_for_again_by_etag(browser):
    first = browser.get("/static/app.css")
    again = browser.get("/static/app.css", headers={"If-None-Match": first.headers["ETag"]})
    assert again.status_code == 304
    vendored = browser.get("/static/vendor/htmx-2.0.11/htmx.min.js")
    assert "immutable" in vendored.headers["Cache-Control"]


def test_only_an_https_address_promises_https(app: APIFlask, settings):
    assert "Strict-Transport-Security" not in Browser(app).get("/login").headers
    secure = create_app(dataclasses.replace(settings, public_url="https://rollcall.example.org"))
    response = secure.test_client().get("/login")
    assert response.headers["Strict-Transport-Security"].startswith("max-age=")
    assert "Secure" in response.headers["Set-Cookie"]


def test_the_session_cookie_is_for_this_site_and_no_script(browser):
    cookie = browser.get("/login").headers["Set-Cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=Lax" in cookie


def test_the_health_check_says_that_the_database_answers(browser):
    response = browser.get("/healthz")
    assert (response.status_code, response.json) == (
        200,
        {"status": "ok", "database": "ok", "sending": "free"},
    )


def test_the_health_check_says_that_the_database_does_not_answer(settings):
    nowhere = dataclasses.replace(settings, database_url="sqlite:////nowhere/at/all.sqlite")
    response = create_app(nowhere).test_client().get("/healthz")
    assert response.status_code == 503
    assert response.json == {"status": "failing", "database": "unreachable"}
