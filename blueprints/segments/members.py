"""The people of a segment: of a snapshot, or of a version as it stands now."""

from typing import Any

from flask import render_template, request, url_for
from flask.typing import ResponseReturnValue

from blueprints.access import current_actor, staff_only
from blueprints.addresses import read_id
from blueprints.downloads import download
from blueprints.segments.pages import pages
from rollcall.errors import NotFound
from rollcall.segments.members import (
    Members,
    choose_members,
    count_members,
    export_members,
    list_members,
)
from rollcall.segments.records import find_segment


@pages.get("/<segment_key>/members")
@staff_only
def members(segment_key: str) -> ResponseReturnValue:
    """List the people, those who hold what is searched."""
    chosen = _choose(segment_key)
    text, cursor = request.args.get("q", "").replace("\0", ""), request.args.get("cursor")
    page = list_members(chosen, cursor, text=text)
    here = _address(chosen)
    searched = {**here, "q": text or None}
    return render_template(
        "segments/members.html",
        segment=chosen.segment,
        chosen=chosen,
        people=count_members(chosen),
        rows=page.rows,
        text=text,
        all_url=url_for("segments.members", **here),
        csv_url=url_for("segments.members_csv", **here),
        first_url=url_for("segments.members", **searched) if cursor else None,
        next_url=(
            url_for("segments.members", **searched, cursor=page.next_cursor)
            if page.next_cursor
            else None
        ),
    )


@pages.get("/<segment_key>/members.csv")
@staff_only
def members_csv(segment_key: str) -> ResponseReturnValue:
    """Download the people as CSV, streamed page by page."""
    chosen = _choose(segment_key)
    name = f"segment-{chosen.segment.slug}-version-{chosen.version.version}.csv"
    return download(export_members(chosen), name=name)


def _choose(slug: str) -> Members:
    segment = find_segment(current_actor().organisation_id, slug)
    return choose_members(segment, _read_number("version"), _read_number("snapshot"))


def _read_number(name: str) -> int | None:
    text = request.args.get(name)
    if not text:
        return None
    number = read_id(text)
    if number is None:
        raise NotFound(f"There is no {name} {text!r}.")
    return number


def _address(chosen: Members) -> dict[str, Any]:
    """Return the values of an address of these people."""
    return {
        "segment_key": chosen.segment.slug,
        "version": chosen.version.version if chosen.snapshot is None else None,
        "snapshot": chosen.snapshot.id if chosen.snapshot else None,
    }
