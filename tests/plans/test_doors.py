"""One story through the browser, the command line and the API: the stored rows are the same."""

import json
from pathlib import Path
from typing import Any

import pytest
from apiflask import APIFlask

from rollcall.accounts.passwords import hash_password
from rollcall.accounts.tokens import create_token
from rollcall.extensions import db
from rollcall.models import Role
from rollcall.plans.records import find_plan
from tests.api.client import Program
from tests.factories import (
    attend,
    make_actor,
    make_event,
    make_organisation,
    make_people,
    make_staff,
)
from tests.plans.stage import ITEMS, stored
from tests.web.browser import PASSWORD, Browser

AMENDED = {"kind": "finished_good", "quantity": "420", "reason": "More came"}
# When and by whom differs from run to run; through which door is what is tried here.
OF_ITS_OWN = {
    *("at", "created_at", "updated_at", "taken_at", "amended_at"),
    *("origin", "address", "number", "seal"),
}


def by_browser(app: APIFlask, staff: Any, actor: Any, folder: Path) -> None:
    browser = Browser(app)
    browser.log_in(staff)
    form = {
        f"{plural}-{index}-{field}": str(value)
        for plural, rows in ITEMS.items()
        for index, row in enumerate(rows)
        for field, value in row.items()
    }
    for path, data in (
        ("edit", form),
        ("lock", {}),
        ("unlock", {}),
        ("lock", {}),
        ("start", {}),
        ("amend", {**AMENDED, "action": "change", "item": "gift-boxes", "per_person": "1"}),
        ("amend", {**AMENDED, "action": "add", "name": "Stickers", "per_person": ""}),
        ("amend", {**AMENDED, "action": "take_out", "item": "sponsors-banners"}),
        ("complete", {}),
    ):
        assert browser.post(f"/events/gala/plan/{path}", data).status_code == 302, path


def by_command_line(app: APIFlask, staff: Any, actor: Any, folder: Path) -> None:
    amend = ("amend", "gala", "finished_good")
    why = ("--reason", "More came")
    file = folder / "plan.json"
    file.write_text(json.dumps(ITEMS))
    for arguments in (
        ("set", "gala", str(file)),
        ("lock", "gala"),
        ("unlock", "gala"),
        ("lock", "gala"),
        ("start", "gala"),
        (*amend, "gift-boxes", "--set", "quantity=420", *why),
        (*amend, "--add", "Stickers", "--set", "quantity=420", *why),
        (*amend, "sponsors-banners", "--take-out", *why),
        ("complete", "gala"),
    ):
        db.session.rollback()
        result = app.test_cli_runner().invoke(args=["plan", *arguments, "--as", staff.email])
        assert result.exit_code == 0, result.stderr


def by_api(app: APIFlask, staff: Any, actor: Any, folder: Path) -> None:
    program = Program(app, create_token(actor, "a program", staff.id).plain)
    amendment = {"kind": "finished_good", "reason": "More came"}
    item = {"name": "Stickers", "quantity": 420}
    for method, path, body in (
        ("PUT", "", ITEMS),
        ("POST", "/lock", {}),
        ("POST", "/unlock", {}),
        ("POST", "/lock", {}),
        ("POST", "/start", {}),
        (
            "POST",
            "/amendments",
            {**amendment, "action": "change", "slug": "gift-boxes", "numbers": {"quantity": 420}},
        ),
        ("POST", "/amendments", {**amendment, "action": "add", "item": item}),
        ("POST", "/amendments", {**amendment, "action": "take_out", "slug": "sponsors-banners"}),
        ("POST", "/complete", {}),
    ):
        response = program.call(method, f"/events/gala/plan{path}", json=body)
        assert response.status_code == 200, response.text


DOORS = {"browser": by_browser, "cli": by_command_line, "api": by_api}


def story(app: APIFlask, door: str, folder: Path) -> dict[str, list[dict[str, Any]]]:
    """Tell the story through a door of an organisation of its own; the rows, made comparable."""
    before = stored()
    organisation = make_organisation(name="Acme")
    staff = make_staff(Role.ADMIN, organisation, password_hash=hash_password(PASSWORD))
    actor = make_actor(organisation)
    event = make_event(organisation, "gala")
    attend(event, make_people(organisation, 3))
    DOORS[door](app, staff, actor, folder)
    after = stored()
    assert find_plan(organisation.id, "gala").state == "completed"
    return {
        name: [_comparable(row, staff.id) for row in rows if row not in before[name]]
        for name, rows in after.items()
    }


def _comparable(row: dict[str, Any], staff_id: int) -> dict[str, Any]:
    kept = {}
    for name, value in row.items():
        if name in OF_ITS_OWN:
            continue
        if name == "content":
            kept[name] = {key: _without_ids(part) for key, part in value.items()}
            kept[name].pop("created_at")
        elif name == "after" and isinstance(value, dict):
            kept[name] = {key: part for key, part in value.items() if key != "snapshot_id"}
        elif name in ("staff_id", "taken_by_id", "amended_by_id"):
            kept[name] = value == staff_id
        elif name != "id" and not name.endswith("_id"):
            kept[name] = value
    return kept


def _without_ids(part: Any) -> Any:
    if isinstance(part, list):
        return [_without_ids(row) for row in part]
    if isinstance(part, dict):
        return {key: value for key, value in part.items() if key not in ("id", "recipe_id")}
    return part


@pytest.mark.parametrize("door", ["cli", "api"])
def test_every_door_stores_the_same_rows(app: APIFlask, door: str, tmp_path: Path):
    by_form = story(app, "browser", tmp_path)
    other = story(app, door, tmp_path)
    plans = [row for row in by_form["audit_entry"] if row["action"].startswith("plan.")]
    assert [row["action"] for row in plans] == [
        *("plan.edit", "plan.lock", "plan.unlock", "plan.lock", "plan.start"),
        *("plan.amend", "plan.amend", "plan.amend", "plan.complete"),
    ]
    assert all(row["staff_id"] for row in plans)
    for name, rows in by_form.items():
        if name == "audit_entry":
            others = [row for row in other[name] if row["action"].startswith("plan.")]
            assert others == plans
        else:
            assert rows, f"the story leaves something in {name}"
            assert other[name] == rows
