"""A browser for tests: keeps its cookies, and sends the CSRF token as the pages' forms do."""

import re
from typing import Any

from apiflask import APIFlask
from werkzeug.test import TestResponse

from rollcall.extensions import db
from rollcall.models import StaffMember

PASSWORD = "correct horse battery"


class Browser:
    """Each request runs in an application context of its own, as it does under a server."""

    def __init__(self, app: APIFlask) -> None:
        self.app = app
        self.client = app.test_client()

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
        """Return the token of this session's forms."""
        form = self.get("/profile")
        page = form if form.status_code == 200 else self.get("/login")
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
