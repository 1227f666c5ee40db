"""Segments: named sets of people, their versions and snapshots, and where they are used."""

from dataclasses import replace
from typing import Annotated, Literal

from flask import Response, request, url_for
from pydantic import Field

from blueprints.access import api_scope, current_actor
from blueprints.api import documents
from blueprints.api import segment_documents as answers
from blueprints.api.answering import answer, answer_page
from blueprints.api.criteria import TargetingCriteria, criteria_of
from blueprints.api.ground import api_blueprint
from blueprints.api.reading import Body, Id, PageQuery
from blueprints.downloads import download
from rollcall.audience.criteria import MAX_PEOPLE
from rollcall.campaigns.document import campaign_document
from rollcall.campaigns.drafts import find_campaign
from rollcall.campaigns.segment_usage import (
    find_usage,
    segment_document,
    segment_documents,
    usage_document,
)
from rollcall.campaigns.segment_versions import decide_segment_version
from rollcall.errors import InvalidInput, NotFound
from rollcall.models import Segment
from rollcall.segments.document import ensured_document, snapshot_document
from rollcall.segments.members import choose_members, export_members, list_members
from rollcall.segments.records import (
    SegmentDraft,
    create_segment,
    current_draft,
    draft_from,
    edit_segment,
    find_segment,
    list_segments,
)
from rollcall.segments.snapshots import ensure_snapshot, find_snapshot, list_snapshots

api = api_blueprint("segments", "Segments")

GivenPeople = Annotated[
    list[Id],
    Field(max_length=MAX_PEOPLE, description="The ids of the people of a fixed list."),
]
SAY_WHICH = "Give either criteria or people: that says who belongs to the segment."


class SegmentQuery(PageQuery):
    """Which segments: those whose name holds `q`."""

    q: str = Field("", max_length=200)


class NewSegment(Body):
    """A new segment: by criteria, or a list of people; without a slug one is made of its name.

    The criteria's `recent_message_hours` is ignored: each campaign sets its own.
    """

    name: str = Field(max_length=200)
    slug: str = Field("", max_length=80)
    criteria: TargetingCriteria | None = None
    people: GivenPeople | None = None


class SegmentEdit(Body):
    """What can be changed of a segment; what is left out stays."""

    name: str | None = Field(None, max_length=200)
    criteria: TargetingCriteria | None = None
    people: GivenPeople | None = None
    version: Id | None = Field(
        None, description="Refuse with 409 when this is not the live version any more."
    )


class SnapshotRequest(Body):
    """How to take a snapshot."""

    bump_version: bool = Field(False, description="First make a new version, of the same rules.")
    force: bool = Field(False, description="Take another one where the version has one.")


class MemberQuery(PageQuery):
    """Which people: of a snapshot (its id), or of a version as it stands now."""

    version: Id | None = Field(None, description="The live one when left out.")
    snapshot: Id | None = None
    q: str = Field("", max_length=200, description="Only who holds this: name, phone or e-mail.")


class VersionDecision(Body):
    """What a scheduled campaign does about its segment's newer version."""

    decision: Literal["keep", "adopt"]
    version: Id | None = Field(
        None, description="Of the campaign: refuse with 409 when it is at another one."
    )


def find_by_key(key: str) -> Segment:
    """Return the segment of an id or a slug; a slug may consist of figures too."""
    organisation_id = current_actor().organisation_id
    if key.isascii() and key.isdecimal() and len(key) < 20:
        try:
            return find_segment(organisation_id, int(key))
        except NotFound:
            pass
    return find_segment(organisation_id, key)


@api.get("/segments")
@api_scope("read")
@api.input(SegmentQuery, location="query")
@api.output(answers.SegmentPage)
def index(query_data: SegmentQuery) -> Response:
    """List segments, the newest first"""
    found = list_segments(
        current_actor().organisation_id, query_data.cursor, query_data.limit, query_data.q
    )
    return answer_page(segment_documents(found.rows), found.next_cursor)


@api.post("/segments")
@api_scope("write")
@api.input(NewSegment)
@api.output(answers.SegmentDocument, status_code=201)
def create(json_data: NewSegment) -> Response:
    """Create a segment

    By criteria, or as a fixed list of people. A segment can't be built on other segments, and
    it has no anti-spam window: `recent_message_hours` of its criteria is ignored.
    """
    draft = _draft(json_data.name, json_data.criteria, json_data.people)
    if draft is None:
        raise InvalidInput({"criteria": SAY_WHICH})
    actor = current_actor()
    segment_id = create_segment(actor, replace(draft, slug=json_data.slug))
    segment = find_segment(actor.organisation_id, segment_id)
    location = url_for("api_segments.show", segment_key=str(segment_id))
    return answer(segment_document(segment), 201, location)


@api.get("/segments/<segment_key>")
@api_scope("read")
@api.output(answers.SegmentDocument)
def show(segment_key: str) -> Response:
    """Show a segment, by its id or its slug"""
    return answer(segment_document(find_by_key(segment_key)))


@api.patch("/segments/<segment_key>")
@api_scope("write")
@api.input(SegmentEdit)
@api.output(answers.SegmentDocument)
def edit(segment_key: str, json_data: SegmentEdit) -> Response:
    """Change a segment

    Another definition makes a new version, and the earlier ones stay; what is left out stays.
    Scheduled campaigns keep their lists: see where it is used, and decide for each. Neither the
    slug can be changed nor whether it is given by criteria or by a list.
    """
    actor, segment = current_actor(), find_by_key(segment_key)
    segment_id, seen = segment.id, segment.version
    name = segment.name if json_data.name is None else json_data.name
    draft = _draft(name, json_data.criteria, json_data.people)
    if draft is None:
        draft = replace(current_draft(segment), name=name)
    edit_segment(actor, segment_id, draft, json_data.version or seen)
    return answer(segment_document(find_segment(actor.organisation_id, segment_id)))


@api.get("/segments/<segment_key>/snapshots")
@api_scope("read")
@api.input(PageQuery, location="query")
@api.output(answers.SegmentSnapshotPage)
def snapshots(segment_key: str, query_data: PageQuery) -> Response:
    """List a segment's snapshots, the newest first"""
    segment = find_by_key(segment_key)
    found = list_snapshots(segment, query_data.cursor, query_data.limit)
    return answer_page((snapshot_document(segment, row) for row in found.rows), found.next_cursor)


@api.post("/segments/<segment_key>/snapshots")
@api_scope("write")
@api.input(SnapshotRequest)
@api.output(answers.EnsuredSnapshotDocument)
@api.doc(responses={201: "A snapshot was taken; the same object as for 200"})
def snapshot(segment_key: str, json_data: SnapshotRequest) -> Response:
    """Make sure that the live version has a snapshot

    Answered with 201 where one was taken, with 200 where it was there. Two calls at once give
    the same one.
    """
    actor, segment_id = current_actor(), find_by_key(segment_key).id
    ensured = ensure_snapshot(actor, segment_id, json_data.bump_version, json_data.force)
    segment = find_segment(actor.organisation_id, segment_id)
    if not ensured.taken:
        return answer(ensured_document(segment, ensured))
    made = {"segment_key": str(segment_id), "snapshot_id": ensured.snapshot.id}
    location = url_for("api_segments.show_snapshot", **made)
    return answer(ensured_document(segment, ensured), 201, location)


@api.get("/segments/<segment_key>/snapshots/<int:snapshot_id>")
@api_scope("read")
@api.output(answers.SegmentSnapshotDocument)
def show_snapshot(segment_key: str, snapshot_id: int) -> Response:
    """Show a snapshot"""
    segment = find_by_key(segment_key)
    return answer(snapshot_document(segment, find_snapshot(segment, snapshot_id)))


@api.get("/segments/<segment_key>/members")
@api_scope("read")
@api.input(MemberQuery, location="query")
@api.output(answers.MemberPage)
@api.doc(responses={200: {"content": {"text/csv": {"schema": {"type": "string"}}}}})
def members(segment_key: str, query_data: MemberQuery) -> Response:
    """List the people of a segment

    Of a snapshot, or of a version as it stands now, in the order of their ids. With
    `Accept: text/csv` all of them come in one file, safe to open in a spreadsheet; cursor,
    limit and q then play no part.
    """
    chosen = choose_members(find_by_key(segment_key), query_data.version, query_data.snapshot)
    if request.accept_mimetypes.best_match(["application/json", "text/csv"]) == "text/csv":
        return download(export_members(chosen))
    found = list_members(chosen, query_data.cursor, query_data.limit, query_data.q)
    return answer_page((row.to_json() for row in found.rows), found.next_cursor)


@api.get("/segments/<segment_key>/usage")
@api_scope("read")
@api.output(answers.UsageDocument)
def usage(segment_key: str) -> Response:
    """Show where a segment is used

    Which campaigns stand on which version, what those on an earlier one would gain and lose by
    adopting the live one, and which campaigns leave its people out.
    """
    return answer(usage_document(find_usage(find_by_key(segment_key))))


@api.post("/campaigns/<int:campaign_id>/segment-version")
@api_scope("send")
@api.input(VersionDecision)
@api.output(documents.CampaignDocument)
def decide(campaign_id: int, json_data: VersionDecision) -> Response:
    """Keep a segment's version, or adopt its newest

    For a scheduled campaign. `adopt` freezes its list anew on the live version; `keep` pins it
    to the version that its list stands on and leaves the list as it is.
    """
    actor = current_actor()
    decide_segment_version(actor, campaign_id, json_data.decision, json_data.version)
    return answer(campaign_document(find_campaign(actor.organisation_id, campaign_id)))


def _draft(
    name: str, criteria: TargetingCriteria | None, people: list[int] | None
) -> SegmentDraft | None:
    """Return the draft that is given, None where nothing says who belongs to it."""
    if criteria is not None and people is not None:
        raise InvalidInput({"people": SAY_WHICH})
    if people is not None:
        return SegmentDraft(name, people=tuple(people))
    return draft_from(name, criteria_of(criteria, "criteria")) if criteria is not None else None
