"""The audit trail: who changed what, and whether it still is what was recorded."""

from typing import Any, Literal

from flask import Response, request
from pydantic import BaseModel, Field

from blueprints.access import api_scope, current_actor
from blueprints.api.answering import answer, answer_page
from blueprints.api.ground import api_blueprint
from blueprints.api.reading import Id, PageQuery, Query
from blueprints.downloads import download
from rollcall.accounts.audit import (
    FORMATS,
    AuditFilter,
    entry_document,
    export_entries,
    list_audit_entries,
    read_audit_filter,
    write_file,
)
from rollcall.accounts.audit_chain import read_kept_seal, verify_chain
from rollcall.accounts.lookups import find_own_organisation
from rollcall.models import Role
from rollcall.paging import read_cursor, write_cursor

api = api_blueprint("audit", "Audit trail")

FILES = {mimetype: name for name, mimetype in FORMATS.items()}


class AuditQuery(PageQuery):
    """Which entries; days are those of the organisation's zone."""

    action: str = Field(
        "",
        max_length=60,
        description="A whole action, or its first word.",
        examples=["campaign.schedule"],
    )
    staff_id: Id | None = None
    object_type: str = Field("", max_length=40, examples=["campaign"])
    object_id: str = Field("", max_length=80)
    origin: Literal["browser", "api", "cli", "scheduler", "recipient", "visitor"] | None = None
    from_: str = Field("", alias="from", max_length=10, examples=["2026-11-01"])
    to: str = Field("", max_length=10, description="The last day.", examples=["2026-11-30"])
    q: str = Field("", max_length=200, description="Words in the change.")


class CheckQuery(Query):
    """How far back to look, and what was kept of an earlier check."""

    last: int = Field(10_000, ge=1, le=1_000_000, description="So many entries are followed.")
    expect: str | None = Field(
        None, max_length=100, description="A number, a colon and a seal, kept elsewhere."
    )


class AuditEntryDocument(BaseModel):
    """One change. Its seal covers all of it but `staff`, and the seal before it."""

    id: int
    number: int | None = Field(description="Counts the organisation's entries without a gap.")
    organisation_id: int
    at: str
    staff_id: int | None
    staff: str | None
    origin: str
    address: str | None
    action: str
    object_type: str
    object_id: str
    before: dict[str, Any] | None
    after: dict[str, Any] | None
    seal: str | None


class AuditEntryPage(BaseModel):
    """A page of them."""

    data: list[AuditEntryDocument]
    next_cursor: str | None


class FaultDocument(BaseModel):
    """The first place at which the trail is not what was recorded."""

    kind: Literal["altered", "removed", "inserted", "cut", "rebuilt"]
    number: int | None
    entry_id: int | None
    text: str


class ChainDocument(BaseModel):
    """What following the chain found."""

    unbroken: bool
    entries: int
    looked_at: int
    last_number: int | None
    last_seal: str | None
    fault: FaultDocument | None
    checked_at: str


@api.get("/audit")
@api_scope("read")
@api.input(AuditQuery, location="query")
@api.output(AuditEntryPage)
@api.doc(responses={200: {"content": {name: {"schema": {"type": "string"}} for name in FILES}}})
def index(query_data: AuditQuery) -> Response:
    """List the audit trail, the newest first

    Takes an admin's token. With `Accept: text/csv` or `Accept: application/x-ndjson` all of the
    filter come in one file, the oldest first; cursor and limit then play no part.
    """
    actor = current_actor()
    actor.require(Role.ADMIN)
    wanted = _filter(actor.organisation_id, query_data)
    best = request.accept_mimetypes.best_match(["application/json", *FILES])
    if best in FILES:
        lines = write_file(FILES[best], export_entries(actor.organisation_id, wanted))
        return download(lines, best)
    older_than = read_cursor(query_data.cursor, int)[0] if query_data.cursor else None
    page = list_audit_entries(
        actor.organisation_id, wanted, older_than=older_than, limit=query_data.limit
    )
    cursor = write_cursor(page.older_than) if page.older_than else None
    return answer_page(map(entry_document, page.entries), cursor)


@api.get("/audit/check")
@api_scope("read")
@api.input(CheckQuery, location="query")
@api.output(ChainDocument)
def check(query_data: CheckQuery) -> Response:
    """Follow the audit trail's chain of seals

    Takes an admin's token. Keep the last number and seal elsewhere, and give them as `expect`
    the next time: that shows a trail that was cut back or sealed anew.
    """
    actor = current_actor()
    actor.require(Role.ADMIN)
    kept = read_kept_seal(query_data.expect) if query_data.expect is not None else None
    report = verify_chain(actor.organisation_id, last=query_data.last, expect=kept)
    return answer(report.to_json())


def _filter(organisation_id: int, query: AuditQuery) -> AuditFilter:
    return read_audit_filter(
        find_own_organisation(organisation_id).timezone,
        staff_id=query.staff_id,
        first_day=query.from_,
        last_day=query.to,
        action=query.action,
        object_type=query.object_type,
        object_id=query.object_id,
        origin=query.origin or "",
        text=query.q,
    )
