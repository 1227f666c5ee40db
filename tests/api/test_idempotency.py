"""The same key: the same answer, and nothing done twice."""

import threading
from typing import Any

import pytest
from apiflask import APIFlask

from rollcall.extensions import db
from rollcall.models import IdempotencyRecord, Organisation, Person
from tests.api.client import Program, make_token, problem_fields

SARAH = {"email": "sarah@example.org"}
KEY = {"Idempotency-Key": "abc-1"}


def count_people() -> int:
    db.session.rollback()
    return db.session.query(Person).count()


def test_a_repeat_gets_the_same_answer(program: Program):
    first = program.post("/people", SARAH, headers=KEY)
    again = program.post("/people", SARAH, headers=KEY)
    assert (first.status_code, again.status_code) == (201, 201)
    assert again.data == first.data
    assert again.headers["Location"] == first.headers["Location"]
    assert "Idempotent-Replay" not in first.headers
    assert again.headers["Idempotent-Replay"] == "true"
    assert count_people() == 1


def test_without_a_key_a_repeat_is_another_request(program: Program):
    assert program.post("/people", SARAH).status_code == 201
    assert program.post("/people", SARAH).status_code == 409


@pytest.mark.parametrize(
    ("path", "body"), [("/people", {"email": "tom@example.org"}), ("/events", SARAH)]
)
def test_the_key_of_another_request_is_refused(program: Program, path: str, body: Any):
    program.post("/people", SARAH, headers=KEY)
    response = program.post(path, body, headers=KEY)
    assert response.status_code == 422
    assert problem_fields(response).keys() == {"Idempotency-Key"}
    assert count_people() == 1


def test_a_refusal_leaves_the_key_free(program: Program):
    assert program.post("/people", {"email": "nobody"}, headers=KEY).status_code == 422
    mended = program.post("/people", SARAH, headers=KEY)
    assert mended.status_code == 201, mended.text
    assert "Idempotent-Replay" not in mended.headers


def test_each_organisation_has_its_own_keys(program: Program, stranger: Program):
    program.post("/people", SARAH, headers=KEY)
    response = stranger.post("/people", SARAH, headers=KEY)
    assert response.status_code == 201
    assert "Idempotent-Replay" not in response.headers


def test_a_key_whose_request_was_broken_off_is_never_done_again(
    program: Program, monkeypatch: pytest.MonkeyPatch
):
    """The process dies after the work and before the answer is stored."""
    from blueprints.api import idempotency

    class Crash(BaseException):
        pass

    def die(*arguments: Any) -> None:
        raise Crash

    monkeypatch.setattr(idempotency, "store_answer", die)
    with pytest.raises(Crash):
        program.post("/people", SARAH, headers=KEY)
    monkeypatch.undo()
    again = program.post("/people", SARAH, headers=KEY)
    assert again.status_code == 409
    assert "broken off" in again.get_json()["detail"]
    assert count_people() == 1


def test_of_two_at_the_same_moment_one_is_done(app: APIFlask, acme: Organisation):
    token = make_token(acme)
    db.session.rollback()
    gate = threading.Barrier(4)
    statuses: list[int] = []

    def send() -> None:
        client = app.test_client()
        headers = {"Authorization": f"Bearer {token}", **KEY}
        gate.wait()
        response = client.post("/api/v1/people", json=SARAH, headers=headers)
        statuses.append(response.status_code)

    threads = [threading.Thread(target=send) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert 201 in statuses
    assert set(statuses) <= {201, 409}
    assert count_people() == 1
    assert db.session.query(IdempotencyRecord).one().status == 201


@pytest.mark.parametrize("key", ["", "x" * 201, "a b\tc", "ключ"])
def test_a_key_that_is_none(program: Program, key: str):
    response = program.post(
        "/people", SARAH, headers={"Idempotency-Key": key.encode().decode("latin-1")}
    )
    assert response.status_code == 422
    assert problem_fields(response).keys() == {"Idempotency-Key"}
    assert count_people() == 0


def test_reading_takes_no_key(program: Program):
    program.get("/people", headers=KEY)
    assert db.session.query(IdempotencyRecord).count() == 0


def test_a_file_sent_again_with_its_key_is_taken_in_once(program: Program):
    """The key is a hash over the body, which must still be there for the import."""

    def send() -> Any:
        return program.call(
            "POST",
            "/people/import",
            headers=KEY,
            data=b"email\nsarah@example.org\n",
            content_type="text/csv",
        )

    first, again = send(), send()
    assert first.status_code == 200, first.text
    assert first.get_json()["added"] == 1
    assert again.data == first.data
    assert count_people() == 1
