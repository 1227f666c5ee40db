"""Two sides of a segment beside each other: who came, who went, who stayed, and why."""

from typing import Any

from flask import render_template, request, url_for
from flask.typing import ResponseReturnValue

from blueprints.access import current_actor, current_staff, staff_only
from blueprints.downloads import download
from blueprints.segments.pages import pages
from rollcall.charts import stack_bar
from rollcall.errors import InvalidInput
from rollcall.models import Segment
from rollcall.segments.changed_people import export_moved, list_moved, read_cause, read_movement
from rollcall.segments.comparison import (
    SegmentComparison,
    compare_sides,
    erased_since,
)
from rollcall.segments.difference import Movement
from rollcall.segments.records import find_segment, list_versions
from rollcall.segments.sides import NOW, Side, find_side, snapshot_side
from rollcall.segments.snapshots import list_snapshots

SNAPSHOTS_OFFERED = 100
VERSIONS_OFFERED = 10


@pages.get("/<segment_key>/compare")
@staff_only
def compare(segment_key: str) -> ResponseReturnValue:
    """Show two sides of a segment beside each other; by default its newest snapshot and now."""
    segment = _find(segment_key)
    context: dict[str, Any] = {
        "segment": segment,
        "errors": {},
        "comparison": None,
    }
    form = compare_form(segment)
    if not form["has_snapshots"]:
        return render_template("segments/compare.html", **context, **form)
    try:
        comparison = compare_sides(*_read_sides(segment, form))
    except InvalidInput as error:
        context["errors"] = error.fields
        return render_template("segments/compare.html", **context, **form), 422
    form = compare_form(segment, comparison.earlier, comparison.later)
    context |= _figures(segment, comparison)
    return render_template("segments/compare.html", **context, **form)


@pages.get("/<segment_key>/compare/people")
@staff_only
def compare_people(segment_key: str) -> ResponseReturnValue:
    """List those who came, went or stayed, all or for one cause."""
    segment = _find(segment_key)
    earlier, later = _read_sides(segment, compare_form(segment))
    movement = read_movement(request.args.get("change")) or Movement.CAME
    cause = read_cause(request.args.get("cause"))
    cursor = request.args.get("cursor")
    page = list_moved(earlier, later, movement, cause, cursor)
    here = _address(segment, earlier, later, movement, cause.key if cause else None)
    return render_template(
        "segments/compare_people.html",
        segment=segment,
        labels=_labels(earlier, later),
        movement=movement.value,
        people=page.rows,
        cause=cause,
        compare_url=url_for("segments.compare", **_address(segment, earlier, later)),
        all_url=url_for("segments.compare_people", **_address(segment, earlier, later, movement)),
        csv_url=url_for("segments.compare_csv", **here),
        first_url=url_for("segments.compare_people", **here) if cursor else None,
        next_url=(
            url_for("segments.compare_people", **here, cursor=page.next_cursor)
            if page.next_cursor
            else None
        ),
    )


@pages.get("/<segment_key>/compare.csv")
@staff_only
def compare_csv(segment_key: str) -> ResponseReturnValue:
    """Download who came and who went, or one of the pieces, as CSV, streamed."""
    segment = _find(segment_key)
    earlier, later = _read_sides(segment, compare_form(segment))
    movement = read_movement(request.args.get("change"))
    lines = export_moved(earlier, later, movement, read_cause(request.args.get("cause")))
    return download(lines, name=f"segment-{segment.slug}-compared.csv")


def compare_form(segment: Segment, *chosen: Side) -> dict[str, Any]:
    """Return what segments/_compare_form.html needs: the sides on offer, and which are chosen.

    Without a choice of the caller's they are those of the address, else the newest snapshot
    and now.
    """
    zone = current_staff().organisation.timezone
    snapshots = [
        snapshot_side(segment, taken)
        for taken in list_snapshots(segment, limit=SNAPSHOTS_OFFERED).rows
    ]
    versions = list_versions(segment, limit=VERSIONS_OFFERED)
    live, *others = [find_side(segment, f"{NOW}:{version.version}", "to") for version in versions]
    sides = (live, *snapshots, *others, *chosen)
    offered = {side.word: side.label(zone) for side in sides}
    first = snapshots[0].word if snapshots else NOW
    words = [request.args.get("from", first), request.args.get("to", NOW)]
    if chosen:
        words = [side.word for side in chosen]
    elif words[1] == NOW:
        words[1] = f"{NOW}:{segment.version}"
    return {
        "sides": list(offered.items()),
        "chosen_from": words[0],
        "chosen_to": words[1],
        "has_snapshots": bool(snapshots),
    }


def _find(slug: str) -> Segment:
    return find_segment(current_actor().organisation_id, slug)


def _read_sides(segment: Segment, form: dict[str, Any]) -> tuple[Side, Side]:
    return (
        find_side(segment, form["chosen_from"], "from"),
        find_side(segment, form["chosen_to"], "to"),
    )


def _figures(segment: Segment, comparison: SegmentComparison) -> dict[str, Any]:
    """Return what the page shows of a comparison, and where each of its numbers leads."""
    earlier, later = comparison.earlier, comparison.later

    def to(movement: Movement, cause: str | None = None) -> str:
        address = _address(segment, earlier, later, movement, cause)
        return url_for("segments.compare_people", **address)

    counts = {
        "went": comparison.went,
        "stayed": comparison.stayed,
        "came": comparison.came,
    }
    return {
        "comparison": comparison,
        "counts": counts,
        "bar": stack_bar(counts),
        "urls": {movement.value: to(movement) for movement in Movement},
        "causes": {
            movement.value: [
                {
                    "label": count.sentence,
                    "count": count.people,
                    "url": to(movement, count.cause.key),
                }
                for count in comparison.by_cause(movement)
            ]
            for movement in (Movement.CAME, Movement.WENT)
        },
        "guessed": not all(
            count.certain for movement in Movement for count in comparison.by_cause(movement)
        ),
        "labels": _labels(earlier, later),
        "erased": (
            erased_since(earlier, comparison.earlier_people),
            erased_since(later, comparison.later_people),
        ),
        "csv_url": url_for("segments.compare_csv", **_address(segment, earlier, later)),
    }


def _labels(earlier: Side, later: Side) -> tuple[str, str]:
    zone = current_staff().organisation.timezone
    return earlier.label(zone), later.label(zone)


def _address(
    segment: Segment,
    earlier: Side,
    later: Side,
    movement: Movement | None = None,
    cause: str | None = None,
) -> dict[str, Any]:
    """Return the values of an address of this comparison; what is None is left out of it."""
    return {
        "segment_key": segment.slug,
        "from": earlier.word,
        "to": later.word,
        "change": movement.value if movement else None,
        "cause": cause,
    }
