"""`flask segment compare`: who came, who went and who stayed between two sides of a segment."""

import click

from rollcall.cli.common import acting, acting_options, emit, json_option
from rollcall.cli.segment import segment_commands
from rollcall.errors import InvalidInput
from rollcall.extensions import db
from rollcall.models import Organisation
from rollcall.segments.changed_people import (
    MovedPerson,
    export_moved,
    list_moved,
    read_cause,
    read_movement,
)
from rollcall.segments.comparison import CauseCount, SegmentComparison, compare_sides, erased_since
from rollcall.segments.records import find_segment
from rollcall.segments.sides import Side, find_side
from rollcall.wording import say_people

UNREADABLE = 'Say a version such as 3, a snapshot such as #12, "now" or "now:3".'


@segment_commands.command("compare")
@click.argument("slug")
@click.argument("earlier", metavar="V1")
@click.argument("later", metavar="V2")
@click.option("--people", "change", help="List those who came, went or stayed.")
@click.option("--cause", help="Only those of one cause, as --json names it.")
@click.option("--limit", default=50, show_default=True, help="How many people at most.")
@click.option("--csv", "as_csv", is_flag=True, help="Print all who came and went as CSV.")
@acting_options
@json_option
def compare(
    slug: str,
    earlier: str,
    later: str,
    change: str | None,
    cause: str | None,
    limit: int,
    as_csv: bool,
    org_slug: str | None,
    as_email: str | None,
    as_json: bool,
) -> None:
    """Compare two sides of the segment SLUG: who came, who went, who stayed, and why.

    V1 and V2 are versions, of which the latest snapshot counts; #12 is the snapshot with the
    id 12; now is the live version as it stands now, and now:3 is version 3.
    """
    actor = acting(org_slug, as_email)
    segment = find_segment(actor.organisation_id, slug)
    sides = (
        find_side(segment, _read_word(earlier, "V1"), "V1"),
        find_side(segment, _read_word(later, "V2"), "V2"),
    )
    movement, wanted = read_movement(change), read_cause(cause)
    if as_csv:
        for piece in export_moved(*sides, movement, wanted):
            click.echo(piece, nl=False)
        return
    comparison = compare_sides(*sides)
    zone = db.session.get_one(Organisation, actor.organisation_id).timezone
    data, lines = comparison.to_json(), _lines(comparison, zone)
    if movement is not None:
        page = list_moved(*sides, movement, wanted, limit=limit)
        data["people"] = [person.to_json() for person in page.rows]
        lines += [_person_line(person) for person in page.rows] or ["Nobody."]
        if page.next_cursor:
            lines.append("There are more: raise --limit, or print all of them with --csv")
    elif wanted is not None:
        raise InvalidInput({"--cause": "Say --people came or --people went with it."})
    emit(data, as_json, lines)


def _read_word(typed: str, field: str) -> str:
    """Return the word for `find_side`: a bare number is a version here."""
    word = typed.strip().lower()
    if word.startswith("#"):
        return word[1:] if word[1:].isdecimal() else _refuse(field)
    return f"v{word}" if word.isdecimal() else word


def _refuse(field: str) -> str:
    raise InvalidInput({field: UNREADABLE})


def _lines(comparison: SegmentComparison, zone: str) -> list[str]:
    return [
        _side_line(comparison.earlier, comparison.earlier_people, zone),
        _side_line(comparison.later, comparison.later_people, zone),
        f"  came    {comparison.came:,}",
        *(_cause_line(count) for count in comparison.came_by_cause),
        f"  went    {comparison.went:,}",
        *(_cause_line(count) for count in comparison.went_by_cause),
        f"  stayed  {comparison.stayed:,}",
    ]


def _side_line(side: Side, people: int, zone: str) -> str:
    erased = erased_since(side, people)
    note = f" ({erased:,} erased since)" if erased else ""
    return f"{side.label(zone)}: {say_people(people)}{note}"


def _cause_line(count: CauseCount) -> str:
    return f"    {count.people:,}  {count.sentence}  ({count.cause.key})"


def _person_line(person: MovedPerson) -> str:
    contact = ", ".join(filter(None, (person.name, person.phone, person.email)))
    why = "; ".join(filter(None, (person.sentence, person.evidence)))
    return f"{person.person_id}: {contact}" + (f" – {why}" if why else "")
