"""Segments as they stand: the list of them, and one with its versions, snapshots and uses."""

from typing import Any

from flask import flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from blueprints.access import current_actor, staff_only
from blueprints.addresses import read_id
from blueprints.segments.compare import compare_form
from blueprints.segments.pages import pages
from rollcall.campaigns.drafts import find_campaign
from rollcall.campaigns.segment_usage import count_scheduled, find_usage, latest_snapshots
from rollcall.campaigns.segment_versions import decide_segment_version
from rollcall.errors import InvalidInput, NotFound
from rollcall.models import Segment
from rollcall.segments.document import describe_version
from rollcall.segments.members import choose_members, count_members
from rollcall.segments.records import find_segment, find_version, list_segments, list_versions
from rollcall.segments.snapshots import ensure_snapshot, list_snapshots, snapshot_exists
from rollcall.wording import say_people

VERSIONS_SHOWN = 10
SNAPSHOTS_SHOWN = 10
DECIDED = {
    "keep": "“{name}” keeps its version: its list stays at {people}.",
    "adopt": "“{name}” stands on the newest version now: {people}.",
}


@pages.get("")
@staff_only
def index() -> ResponseReturnValue:
    """List the segments, the newest first, or those whose name holds what is searched."""
    text, cursor = request.args.get("q", "").replace("\0", ""), request.args.get("cursor")
    page = list_segments(current_actor().organisation_id, cursor, text=text)
    ids = [segment.id for segment in page.rows]
    here: dict[str, Any] = {"q": text or None}
    return render_template(
        "segments/index.html",
        segments=page.rows,
        text=text,
        latest=latest_snapshots(ids),
        scheduled=count_scheduled(ids),
        first_url=url_for("segments.index", **here) if cursor else None,
        next_url=(
            url_for("segments.index", **here, cursor=page.next_cursor) if page.next_cursor else None
        ),
    )


@pages.get("/<segment_key>")
@staff_only
def show(segment_key: str) -> ResponseReturnValue:
    """Show a segment: who belongs to it, its versions and snapshots, and where it is used."""
    segment = _find(segment_key)
    usage = find_usage(segment)
    # To compare lets go of what was read before, so that everything else is read after it.
    segment = _find(segment_key)
    live = find_version(segment)
    return render_template(
        "segments/show.html",
        segment=segment,
        sentence=describe_version(segment, live),
        people_now=_count_now(segment),
        usage=usage,
        has_snapshot=snapshot_exists(segment.organisation_id, segment.id),
        **_versions_context(segment),
        **_snapshots_context(segment),
        **compare_form(segment),
    )


@pages.post("/<segment_key>/snapshots")
@staff_only
def snapshot(segment_key: str) -> ResponseReturnValue:
    """Make sure that the live version has a snapshot, or take another one."""
    way = request.form.get("way", "")
    ensured = ensure_snapshot(
        current_actor(), segment_key, bump_version=way == "bump", force=way == "force"
    )
    taken = ensured.snapshot
    told = "A snapshot was taken" if ensured.taken else "There is a snapshot already"
    flash(f"{told}: version {taken.version}, {say_people(taken.people)}.", "success")
    return redirect(url_for("segments.show", segment_key=segment_key, _anchor="snapshots"))


@pages.post("/<segment_key>/decide")
@staff_only
def decide(segment_key: str) -> ResponseReturnValue:
    """Let a scheduled campaign keep its version of the segment, or adopt the live one."""
    segment = _find(segment_key)
    actor = current_actor()
    campaign = find_campaign(actor.organisation_id, read_id(request.form.get("campaign")) or 0)
    if campaign.segment_id != segment.id:
        raise NotFound(f"The campaign {campaign.id} is not on this segment.")
    decision, name = request.form.get("decision", ""), campaign.name
    seen = read_id(request.form.get("version"))
    people = decide_segment_version(actor, campaign.id, decision, seen)
    flash(DECIDED[decision].format(name=name, people=say_people(people)), "success")
    return redirect(url_for("segments.show", segment_key=segment_key, _anchor="used"))


def _find(slug: str) -> Segment:
    return find_segment(current_actor().organisation_id, slug)


def _count_now(segment: Segment) -> int | None:
    try:
        return count_members(choose_members(segment))
    except InvalidInput:
        # Its definition names an event that is gone: nobody can say who belongs to it.
        return None


def _versions_context(segment: Segment) -> dict[str, Any]:
    before = read_id(request.args.get("before"))
    versions = list_versions(segment, before, VERSIONS_SHOWN + 1)
    here: dict[str, Any] = {"segment_key": segment.slug, "_anchor": "versions"}
    oldest = versions[VERSIONS_SHOWN - 1].version if len(versions) > VERSIONS_SHOWN else None
    return {
        "versions": [
            (version, describe_version(segment, version)) for version in versions[:VERSIONS_SHOWN]
        ],
        "first_versions": url_for("segments.show", **here) if before else None,
        "more_versions": url_for("segments.show", **here, before=oldest) if oldest else None,
    }


def _snapshots_context(segment: Segment) -> dict[str, Any]:
    cursor = request.args.get("cursor")
    page = list_snapshots(segment, cursor, SNAPSHOTS_SHOWN)
    here: dict[str, Any] = {"segment_key": segment.slug, "_anchor": "snapshots"}
    following = page.next_cursor
    return {
        "snapshots": page.rows,
        "first_snapshots": url_for("segments.show", **here) if cursor else None,
        "more_snapshots": url_for("segments.show", **here, cursor=following) if following else None,
    }
