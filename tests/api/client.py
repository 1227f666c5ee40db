"""A program that calls the API with a token, as it would over HTTP."""

from typing import Any

from apiflask import APIFlask
from werkzeug.test import TestResponse

from rollcall.accounts.tokens import SCOPES, create_token
from rollcall.actors import actor_for
from rollcall.extensions import db
from rollcall.models import Organisation, Role
from tests.factories import make_staff


class Program:
    """Each call runs in an application context of its own, as it does under a server."""

    def __init__(self, app: APIFlask, token: str | None) -> None:
        self.app = app
        self.client = app.test_client()
        self.headers = {"Authorization": f"Bearer {token}"} if token else {}

    def call(self, method: str, path: str, headers: Any = None, **kwargs: Any) -> TestResponse:
        """Send one call; the test's own session reads afresh what it changes."""
        db.session.rollback()
        path = path if path.startswith("/api") else f"/api/v1{path}"
        with self.app.app_context():
            return self.client.open(
                path,
                method=method,
                headers={**self.headers, **(headers or {})},
                buffered=True,
                **kwargs,
            )

    def get(self, path: str, **kwargs: Any) -> TestResponse:
        return self.call("GET", path, **kwargs)

    def post(self, path: str, body: Any = None, **kwargs: Any) -> TestResponse:
        return self.call("POST", path, json={} if body is None else body, **kwargs)


def make_token(
    organisation: Organisation, scopes: tuple[str, ...] = SCOPES, role: Role = Role.SUPER
) -> str:
    """A token of a new staff member of that role."""
    staff = make_staff(role, organisation)
    supervisor = actor_for(make_staff(Role.SUPER, organisation), "browser")
    return create_token(supervisor, "a program", staff.id, scopes).plain


def problem_fields(response: TestResponse) -> dict[str, str]:
    """What a problem document says of each field."""
    assert response.mimetype == "application/problem+json", response.text
    return {error["field"]: error["message"] for error in response.get_json()["errors"]}
