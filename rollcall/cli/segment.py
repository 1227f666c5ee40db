"""`flask segment`: named sets of people, their versions and snapshots, and where they are used."""

from dataclasses import replace
from typing import Any

import click

from rollcall.actors import Actor
from rollcall.audience.criteria import Criteria
from rollcall.campaigns.document import campaign_document
from rollcall.campaigns.drafts import find_campaign
from rollcall.campaigns.segment_usage import (
    Usage,
    Use,
    VersionUse,
    count_scheduled_by_version,
    find_usage,
    segment_document,
    segment_documents,
    usage_document,
)
from rollcall.campaigns.segment_versions import decide_segment_version
from rollcall.cli.common import (
    acting,
    acting_options,
    command_group,
    emit,
    emit_page,
    json_option,
    page_options,
)
from rollcall.cli.criteria import create_people_option, criteria_options, read_criteria
from rollcall.extensions import db
from rollcall.models import Organisation, Segment, SegmentSnapshot
from rollcall.segments.document import describe_version, ensured_document, snapshot_document
from rollcall.segments.members import Members, choose_members, export_members, list_members
from rollcall.segments.records import (
    create_segment,
    current_draft,
    draft_from,
    edit_segment,
    find_segment,
    find_version,
    list_segments,
    list_versions,
)
from rollcall.segments.snapshots import ensure_snapshot, list_snapshots
from rollcall.wording import say_count, say_people, say_state, say_time

SHOWN = 20


@command_group("segment")
def segment_commands() -> None:
    """Named sets of people: their versions, their snapshots, and where they are used."""


@segment_commands.command("create")
@click.argument("name")
@click.option("--slug", default="", help="Its short name; derived from NAME when left out.")
@criteria_options
@create_people_option
@acting_options
@json_option
def create(
    name: str, slug: str, org_slug: str | None, as_email: str | None, as_json: bool, **options: Any
) -> None:
    """Create the segment NAME: by rules, or with --people as a list.

    An anti-spam window is not part of a segment: each campaign sets its own.
    """
    actor = acting(org_slug, as_email)
    draft = draft_from(name, _read_criteria(actor, options), slug)
    segment = find_segment(actor.organisation_id, create_segment(actor, draft))
    lines = [_line(segment), f"Next: flask segment snapshot {segment.slug}"]
    emit(segment_document(segment), as_json, lines)


@segment_commands.command("edit")
@click.argument("slug")
@click.option("--name", help="What it is called from now on.")
@click.option("--version", type=int, help="Refuse when this is not the live version any more.")
@criteria_options
@create_people_option
@acting_options
@json_option
def edit(
    slug: str,
    name: str | None,
    version: int | None,
    org_slug: str | None,
    as_email: str | None,
    as_json: bool,
    **options: Any,
) -> None:
    """Change the name of the segment SLUG, or who belongs to it; what is left out stays.

    Another definition makes a new version, and campaigns that are scheduled keep their list.
    """
    actor = acting(org_slug, as_email)
    segment = find_segment(actor.organisation_id, slug)
    seen, called = segment.version, name if name is not None else segment.name
    if any(options.values()):
        draft = draft_from(called, _read_criteria(actor, options))
    else:
        draft = replace(current_draft(segment), name=called)
    edit_segment(actor, slug, draft, seen if version is None else version)
    db.session.expire_all()
    segment = find_segment(actor.organisation_id, slug)
    affected = _outdated(segment, count_scheduled_by_version(segment))
    emit(segment_document(segment), as_json, [_line(segment), *affected])


@segment_commands.command("list")
@page_options("segments")
@acting_options
@json_option
def list_(
    limit: int, cursor: str | None, org_slug: str | None, as_email: str | None, as_json: bool
) -> None:
    """List the segments, the newest first."""
    page = list_segments(acting(org_slug, as_email).organisation_id, cursor, limit)
    documents, lines = segment_documents(page.rows), map(_line, page.rows)
    emit_page(documents, page.next_cursor, as_json, lines, "There is no segment yet.")


@segment_commands.command("show")
@click.argument("slug")
@acting_options
@json_option
def show(slug: str, org_slug: str | None, as_email: str | None, as_json: bool) -> None:
    """Show the segment SLUG: its versions, its snapshots, and the campaigns that use it."""
    actor = acting(org_slug, as_email)
    segment = find_segment(actor.organisation_id, slug)
    usage = find_usage(segment)
    snapshots = list_snapshots(segment, limit=SHOWN).rows
    data = {
        **segment_document(segment),
        "snapshots": [snapshot_document(segment, snapshot) for snapshot in snapshots],
        "usage": usage_document(usage),
    }
    zone = actor_zone(actor)
    lines = [
        _line(segment),
        f"Versions (the newest {SHOWN}):",
        *_version_lines(segment, zone),
        "Snapshots:",
        *([_snapshot_line(snapshot, zone) for snapshot in snapshots] or ["  none yet"]),
        "Used by:",
        *_usage_lines(usage),
    ]
    emit(data, as_json, lines)


@segment_commands.command("snapshot")
@click.argument("slug")
@click.option("--bump-version", is_flag=True, help="Make a new version of the same definition.")
@click.option("--force", is_flag=True, help="Take another one where the version has one.")
@acting_options
@json_option
def snapshot(
    slug: str,
    bump_version: bool,
    force: bool,
    org_slug: str | None,
    as_email: str | None,
    as_json: bool,
) -> None:
    """Make sure that the live version of the segment SLUG has a snapshot, and print it."""
    actor = acting(org_slug, as_email)
    ensured = ensure_snapshot(actor, slug, bump_version, force)
    segment = find_segment(actor.organisation_id, slug)
    told = "Taken now." if ensured.taken else "It was there already."
    line = f"{_snapshot_line(ensured.snapshot, actor_zone(actor)).strip()}. {told}"
    emit(ensured_document(segment, ensured), as_json, line)


@segment_commands.command("snapshots")
@click.argument("slug")
@page_options("snapshots")
@acting_options
@json_option
def snapshots(
    slug: str,
    limit: int,
    cursor: str | None,
    org_slug: str | None,
    as_email: str | None,
    as_json: bool,
) -> None:
    """List the snapshots of the segment SLUG, the newest first."""
    actor = acting(org_slug, as_email)
    segment = find_segment(actor.organisation_id, slug)
    page = list_snapshots(segment, cursor, limit)
    zone = actor_zone(actor)
    lines = [_snapshot_line(row, zone).strip() for row in page.rows]
    documents = [snapshot_document(segment, row) for row in page.rows]
    emit_page(documents, page.next_cursor, as_json, lines, "There is none yet.")


@segment_commands.command("members")
@click.argument("slug")
@click.option("--version", type=int, help="Of this version as it stands now (default: the live).")
@click.option("--snapshot", "snapshot_id", type=int, metavar="ID", help="Of this snapshot.")
@click.option("--csv", "as_csv", is_flag=True, help="Print all of them as CSV.")
@page_options("people")
@acting_options
@json_option
def members(
    slug: str,
    version: int | None,
    snapshot_id: int | None,
    as_csv: bool,
    limit: int,
    cursor: str | None,
    org_slug: str | None,
    as_email: str | None,
    as_json: bool,
) -> None:
    """List the people of the segment SLUG."""
    actor = acting(org_slug, as_email)
    segment = find_segment(actor.organisation_id, slug)
    chosen = choose_members(segment, version, snapshot_id)
    if as_csv:
        for lines in export_members(chosen):
            click.echo(lines, nl=False)
        return
    _emit_members(chosen, cursor, limit, as_json)


@segment_commands.command("adopt")
@click.argument("campaign_id", metavar="CAMPAIGN_ID", type=int)
@click.option("--version", type=int, help="Refuse when the campaign is no longer at this version.")
@acting_options
@json_option
def adopt(
    campaign_id: int, version: int | None, org_slug: str | None, as_email: str | None, as_json: bool
) -> None:
    """Freeze the list of a scheduled campaign anew, on the live version of its segment."""
    _decide("adopt", campaign_id, version, acting(org_slug, as_email), as_json)


@segment_commands.command("keep")
@click.argument("campaign_id", metavar="CAMPAIGN_ID", type=int)
@click.option("--version", type=int, help="Refuse when the campaign is no longer at this version.")
@acting_options
@json_option
def keep(
    campaign_id: int, version: int | None, org_slug: str | None, as_email: str | None, as_json: bool
) -> None:
    """Let a scheduled campaign keep the version of its segment that its list stands on."""
    _decide("keep", campaign_id, version, acting(org_slug, as_email), as_json)


def actor_zone(actor: Actor) -> str:
    """Return the time zone in which the actor's organisation reads times."""
    return db.session.get_one(Organisation, actor.organisation_id).timezone


def _read_criteria(actor: Actor, options: dict[str, Any]) -> Criteria:
    organisation = db.session.get_one(Organisation, actor.organisation_id)
    adding = actor if options.pop("create_people") else None
    return read_criteria(organisation, options, adding)


def _decide(
    decision: str, campaign_id: int, version: int | None, actor: Actor, as_json: bool
) -> None:
    people = decide_segment_version(actor, campaign_id, decision, version)
    document = campaign_document(find_campaign(actor.organisation_id, campaign_id))
    stands = f"version {document['settings']['segment_version']}"
    how = "keeps" if decision == "keep" else "stands on"
    emit(document, as_json, f"{document['name']} {how} {stands}: {say_people(people)}.")


def _emit_members(chosen: Members, cursor: str | None, limit: int, as_json: bool) -> None:
    page = list_members(chosen, cursor, limit)
    lines = [
        f"{row.person_id}: {', '.join(filter(None, (row.name, row.phone, row.email)))}"
        for row in page.rows
    ] or ["Nobody."]
    if page.next_cursor:
        lines.append(f"There are more: --cursor {page.next_cursor}, or all of them with --csv")
    data = {"data": [row.to_json() for row in page.rows], "next_cursor": page.next_cursor}
    emit(data, as_json, lines)


def _line(segment: Segment) -> str:
    says = describe_version(segment, find_version(segment))
    return f"{segment.slug}: {segment.name}, version {segment.version}: {says}"


def _version_lines(segment: Segment, zone: str) -> list[str]:
    return [
        f"  version {version.version}, {say_time(version.created_at, zone)}"
        f"{f' by {version.created_by.email}' if version.created_by else ''}: "
        f"{describe_version(segment, version)}"
        for version in list_versions(segment, limit=SHOWN)
    ]


def _snapshot_line(taken: SegmentSnapshot, zone: str) -> str:
    which = f", snapshot {taken.number}" if taken.number > 1 else ""
    at = say_time(taken.taken_at, zone)
    return f"  version {taken.version}{which}: {say_people(taken.people)}, {at} (id {taken.id})"


def _usage_lines(usage: Usage) -> list[str]:
    lines = _outdated(usage.segment, usage.by_version)
    lines += [f"  {_use_line(use)}" for use in (*usage.scheduled, *usage.others)]
    lines += [f"  left out by campaign {row.id}, {row.name}" for row in usage.excluded_by]
    return lines or ["  no campaign"]


def _use_line(use: Use) -> str:
    said = f"campaign {use.campaign.id}, {use.campaign.name}: {say_state(use.campaign.state)}"
    if use.version:
        said += f", on version {use.version}"
    if use.pinned:
        said += ", pinned to it" if use.pinned == use.version else f", pinned to {use.pinned}"
    if use.change:
        said += f"; to adopt: {use.change.joined:,} would join, {use.change.left:,} would leave"
    return said


def _outdated(segment: Segment, lines: list[VersionUse]) -> list[str]:
    """Say which scheduled campaigns stand on earlier versions, and what can be done."""
    return [
        f"  {say_count(line.unpinned, 'scheduled campaign')} "
        f"{'stands' if line.unpinned == 1 else 'stand'} on version {line.version}: "
        f"flask segment keep ID, or flask segment adopt ID for version {segment.version}"
        for line in lines
        if line.version < segment.version and line.unpinned
    ]
