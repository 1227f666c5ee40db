"""flask plan: the same verbs as the browser's, in JSON and in sentences."""

import json
from pathlib import Path

import pytest
from apiflask import APIFlask
from click.testing import Result

from rollcall.extensions import db
from rollcall.models import Event
from tests.factories import attend, make_event, make_organisation, make_people, make_staff
from tests.plans.stage import ITEMS, state_of, stored


@pytest.fixture
def run(app: APIFlask):
    def invoke(*arguments: str) -> Result:
        db.session.rollback()
        return app.test_cli_runner().invoke(args=["plan", *arguments])

    return invoke


@pytest.fixture
def gala(app: APIFlask) -> Event:
    """An event that three people attend."""
    organisation = make_staff(email="boss@example.org").organisation
    event = make_event(organisation, "gala", name="The Gala")
    attend(event, make_people(organisation, 3))
    return event


@pytest.fixture
def file(tmp_path: Path) -> str:
    path = tmp_path / "plan.json"
    path.write_text(json.dumps(ITEMS))
    return str(path)


def test_the_whole_way(run, gala, file):
    assert run("show", "gala").stdout == (
        "The plan of The Gala is a draft (version 1), for 3 people.\n  Nothing is planned.\n"
    )
    assert stored()["event_plan"] == []
    assert run("set", "gala", file).stdout.splitlines() == [
        "The plan of The Gala is a draft (version 2), for 3 people.",
        "  recipe ginger-cookies: Ginger cookies, 80 a batch",
        "  finished good gift-boxes: gift boxes, 300, 1 a person",
        "  finished good sponsors-banners: Sponsors' banners, 4",
        "  batch decision ginger-cookies: Ginger cookies, 4.5 × 80 = 360 of ginger-cookies",
        "300 gift boxes for 3 people. At 1 each it takes 3: 297 to spare.",
        "4 Sponsors' banners for 3 people.",
    ]
    for action, state in (("lock", "locked"), ("unlock", "draft"), ("lock", "locked")):
        assert run(action, "gala").exit_code == 0
        assert state_of(gala) == state
    assert "is in production" in run("start", "gala").stdout
    shown = run("snapshot", "gala").stdout
    assert "for 3 people:" in shown
    assert "  finished good gift-boxes: gift boxes, 300, 1 a person" in shown
    amended = run(
        *("amend", "gala", "finished_good", "gift-boxes"),
        *("--set", "quantity=420", "--reason", "More came"),
    )
    assert "  gift boxes: quantity from 300 to 420 (+120)" in amended.stdout
    assert "boss@example.org: gift boxes: quantity from 300 to 420 (More came)" in (
        run("amendments", "gala").stdout
    )
    assert "is completed" in run("complete", "gala").stdout


def test_the_snapshot_is_given_as_json(run, gala, file):
    run("set", "gala", file)
    run("lock", "gala")
    run("start", "gala")
    given = json.loads(run("snapshot", "gala", "--json").stdout)
    assert list(given) == [
        *("snapshot_version", "created_at", "event", "head_count"),
        *("recipes", "finished_goods", "batch_decisions"),
    ]
    assert given["snapshot_version"] == "1.0"
    assert given["event"]["slug"] == "gala"
    assert given["head_count"] == 3
    assert list(given["batch_decisions"][0]) == [
        *("id", "name", "slug", "recipe_id", "recipe_slug", "batches", "yield_per_batch"),
    ]
    assert given["batch_decisions"][0]["batches"] == 4.5
    assert '"quantity": 300,' in run("snapshot", "gala", "--json").stdout


def test_an_empty_plan_has_three_empty_lists(run, gala):
    run("lock", "gala")
    run("start", "gala")
    given = json.loads(run("snapshot", "gala", "--json").stdout)
    assert given["recipes"] == given["finished_goods"] == given["batch_decisions"] == []


def test_where_there_is_no_snapshot_a_sentence_says_so(run, gala):
    result = run("snapshot", "gala", "--json")
    assert result.exit_code == 1
    assert result.stdout == ""
    assert result.stderr == (
        "Error: There is no snapshot of the plan of The Gala yet: "
        "it is taken when production starts.\n"
    )


def test_the_wrong_state_is_named_in_one_line(run, gala):
    result = run("start", "gala")
    assert result.exit_code == 1
    assert result.stderr == (
        "Error: This plan is a draft, so production can't be started: lock it first.\n"
    )


def test_items_are_added_and_taken_out(run, gala, file):
    run("set", "gala", file)
    run("lock", "gala")
    run("start", "gala")
    why = ("--reason", "why")
    added = ("--add", "More", "--recipe", "Ginger cookies", "--set", "batches=2")
    assert run("amend", "gala", "batch_decision", "more-of-it", *added, *why).exit_code == 0
    out = run("amend", "gala", "finished_good", "sponsors-banners", "--take-out", *why, "--json")
    given = json.loads(out.stdout)
    assert [one["slug"] for one in given["amended"]["batch_decisions"]] == [
        *("ginger-cookies", "more-of-it"),
    ]
    assert [one["slug"] for one in given["amended"]["finished_goods"]] == ["gift-boxes"]
    assert len(given["finished_goods"]) == 2


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("recipe", "x", "--set", "quantity"), "--set: Give FIELD=NUMBER"),
        (("finished_good", "gift-boxes"), "numbers: Give at least one of quantity"),
        (("finished_good", "gift-boxes", "--set", "quantity=-1"), "quantity: Give a number of 0"),
        (("finished_good", "--set", "quantity=1"), "SLUG: Name the item by its slug."),
        (("finished_good", "x", "--take-out", "--add", "y"), "--take-out: Either take"),
        (("recipe", "x", "--recipe", "y", "--take-out"), "--recipe: Only an item that is added"),
        (("finished_good", "x", "--set", "quantity=1"), "slug: There is no finished good 'x'"),
        (("drink", "x", "--take-out"), "'drink' is not one of"),
    ],
)
def test_an_amendment_that_makes_no_sense_is_refused(run, gala, file, arguments, said):
    run("set", "gala", file)
    run("lock", "gala")
    run("start", "gala")
    before = stored()
    result = run("amend", "gala", *arguments, "--reason", "why")
    assert result.exit_code == 2
    assert said in result.stderr
    assert len(result.stderr.splitlines()) == 1
    assert stored() == before


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{", "FILE: This is not JSON"),
        ("[]", "plan: Give an object"),
        ("[" * 100_000, "FILE: This is not JSON"),
        ('{"finished_goods": [{"name": "a", "quantity": NaN}]}', "finished_goods.0.quantity: Give"),
        ('{"finished_goods": [{"name": "a", "quantity": 1e999}]}', "finished_goods.0.quantity"),
        ('{"recipes": [{"name": "a"}]}', "recipes.0.yield_per_batch: Give a number of 0 or more"),
    ],
)
def test_a_file_that_is_wrong_is_refused_naming_the_place(run, gala, tmp_path, text, said):
    path = tmp_path / "plan.json"
    path.write_text(text)
    result = run("set", "gala", str(path))
    assert result.exit_code == 2
    assert said in result.stderr
    assert stored()["event_plan"] == []


def test_an_older_version_is_refused(run, gala, file):
    run("set", "gala", file)
    assert "Somebody else has changed" in run("set", "gala", file, "--version", "1").stderr


def test_an_unknown_event_and_another_organisations_fail(run, gala):
    assert "There is no event 'nothing'" in run("show", "nothing").stderr
    other = make_organisation("other")
    make_staff(organisation=other)
    result = run("lock", "gala", "--org", "other")
    assert result.exit_code == 1
    assert "There is no event 'gala'" in result.stderr
