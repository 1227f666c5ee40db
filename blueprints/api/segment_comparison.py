"""Two sides of a segment beside each other: who came, who went, who stayed, and why."""

from typing import Annotated, Literal

from flask import Response, request
from pydantic import BaseModel, Field

from blueprints.access import api_scope
from blueprints.api.answering import answer, answer_page
from blueprints.api.reading import PageQuery, Query
from blueprints.api.segments import api, find_by_key
from blueprints.downloads import download
from rollcall.models import Segment
from rollcall.segments.changed_people import export_moved, list_moved, read_cause, read_movement
from rollcall.segments.comparison import compare_sides
from rollcall.segments.difference import Movement
from rollcall.segments.sides import NOW, Side, find_side

SideWord = Annotated[
    str,
    Field(
        max_length=20,
        description="A snapshot's id; `v3` for version 3's latest snapshot; `now`; or `now:3` "
        "for version 3 as it would be now.",
        examples=["v3"],
    ),
]


class ComparisonQuery(Query):
    """Which two sides."""

    from_: SideWord | None = Field(
        None, alias="from", description="The newest snapshot when left out."
    )
    to: SideWord = NOW


class MovedQuery(PageQuery):
    """Which people: those who came, went or stayed, and for what cause."""

    from_: SideWord | None = Field(
        None, alias="from", description="The newest snapshot when left out."
    )
    to: SideWord = NOW
    change: Literal["came", "went", "stayed"] = "came"
    cause: str | None = Field(None, max_length=60, examples=["person.events"])


class SideDocument(BaseModel):
    """One side: a snapshot, or a version as it stands now."""

    snapshot_id: int | None = Field(description="Null for now.")
    version: int
    number: int | None
    at: str
    people: int
    erased: int = Field(description="How many of the snapshot's people have been erased since.")


class CauseDocument(BaseModel):
    """So many people moved for this cause."""

    cause: str = Field(description="What changed and by which criterion, as `person.events`.")
    people: int
    sentence: str
    certain: bool = Field(description="False where it was found by elimination.")


class ComparisonDocument(BaseModel):
    """Who came, went and stayed; the causes add up to those who came and went."""

    model_config = {"populate_by_name": True}

    segment: str
    from_: SideDocument = Field(alias="from")
    to: SideDocument
    came: int
    went: int
    stayed: int
    came_by_cause: list[CauseDocument]
    went_by_cause: list[CauseDocument]


class MovedDocument(BaseModel):
    """Somebody who came, went or stayed."""

    person_id: int
    name: str
    phone: str | None
    email: str | None
    change: Literal["came", "went", "stayed"]
    cause: str | None
    sentence: str | None
    evidence: str | None = Field(description="What is stored that shows the cause.")


class MovedPage(BaseModel):
    """A page of them."""

    data: list[MovedDocument]
    next_cursor: str | None


@api.get("/segments/<segment_key>/compare")
@api_scope("read")
@api.input(ComparisonQuery, location="query")
@api.output(ComparisonDocument)
def compare(segment_key: str, query_data: ComparisonQuery) -> Response:
    """Compare two snapshots of a segment, or one with now

    Each side is a snapshot's id, a version (`v3`: its latest snapshot), `now` for the live
    version as it stands now, or `now:3` for version 3. Each cause says whether the definition
    made the difference or the person changed.
    """
    earlier, later = _sides(find_by_key(segment_key), query_data)
    return answer(compare_sides(earlier, later).to_json())


@api.get("/segments/<segment_key>/compare/people")
@api_scope("read")
@api.input(MovedQuery, location="query")
@api.output(MovedPage)
@api.doc(responses={200: {"content": {"text/csv": {"schema": {"type": "string"}}}}})
def compare_people(segment_key: str, query_data: MovedQuery) -> Response:
    """List the people of a comparison

    Those who came unless `change` says otherwise, in the order of their ids, each with the
    cause and what shows it. With `Accept: text/csv` all of them come in one file, safe to open
    in a spreadsheet; cursor and limit then play no part.
    """
    earlier, later = _sides(find_by_key(segment_key), query_data)
    movement = read_movement(query_data.change) or Movement.CAME
    cause = read_cause(query_data.cause)
    if request.accept_mimetypes.best_match(["application/json", "text/csv"]) == "text/csv":
        return download(export_moved(earlier, later, movement, cause))
    found = list_moved(earlier, later, movement, cause, query_data.cursor, query_data.limit)
    return answer_page((person.to_json() for person in found.rows), found.next_cursor)


def _sides(segment: Segment, query: ComparisonQuery | MovedQuery) -> tuple[Side, Side]:
    return find_side(segment, query.from_, "from"), find_side(segment, query.to, "to")
