"""A browser for tests: keeps its cookies, and sends the CSRF token as the pages' forms do."""

import re
from typing import Any

from apiflask import APIFlask
from flask.sessions import SecureCookieSessionInterface
from werkzeug.test import TestResponse

from rollcall.extensions import db
from rollcall.models import StaffMember

PASSWORD = "correct horse battery"


class Browser:
    """Each request runs in an application context of its own, as it does under a server."""

    def __init__(self, app: APIFlask) -> None:
        self.app = app
        self.client = app.test_client()
        self._token = ""
        self._read_from: str | None = None

    def open(self, method: str, path: str, **kwargs: Any) -> TestResponse:
        """Send one request; the test's own session reads afresh what it changes."""
        db.session.rollback()
        with self.app.app_context():
            return self.client.open(path, method=method, buffered=True, **kwargs)

    def get(self, path: str, **kwargs: Any) -> TestResponse:
        return self.open("GET", path, **kwargs)

    def post(self, path: str, data: dict[str, Any] | None = None, **kwargs: Any) -> TestResponse:
        """Send a form with its CSRF token."""
        form = {"csrf_token": self.csrf_token(), **(data or {})}
        return self.open("POST", path, data=form, **kwargs)

    def csrf_token(self) -> str:
        """Return the token of this session's forms, read from one of them once a session."""
        secret = self._csrf_secret()
        if secret is None or secret != self._read_from:
            self._token = self._read_token()
            self._read_from = self._csrf_secret()
        return self._token

    def _csrf_secret(self) -> str | None:
        """What the session's cookie holds for its tokens: a new session has another one."""
        cookie = self.client.get_cookie("session")
        serializer = SecureCookieSessionInterface().get_signing_serializer(self.app)
        if cookie is None or serializer is None:
            return None
        return serializer.loads(cookie.value).get("csrf_token")

    def _read_token(self) -> str:
        page = self.get("/login")
        if page.status_code == 302:  # somebody is logged in
            page = self.get("/profile")
        found = re.search(r'name="csrf_token" value="([^"]+)"', page.text)
        assert found, page.text
        return found[1]

    def log_in(
        self, staff: StaffMember | str, password: str = PASSWORD, **form: str
    ) -> TestResponse:
        email = staff if isinstance(staff, str) else staff.email
        return self.post("/login", {"email": email, "password": password, **form})

    @property
    def is_logged_in(self) -> bool:
        return self.get("/profile").status_code == 200
