"""The audit trail: who changed what, when and from where; its chain, and files of it."""

from collections.abc import Iterable
from typing import Any
from urllib.parse import urlencode

from flask import Blueprint, render_template, request, url_for
from flask.typing import ResponseReturnValue

from blueprints.access import allow, current_actor, current_staff
from blueprints.addresses import read_id
from blueprints.downloads import download
from rollcall.accounts.audit import (
    FORMATS,
    ORIGINS,
    AuditFilter,
    AuditPage,
    changed_fields,
    export_entries,
    list_audit_entries,
    read_audit_filter,
    write_file,
)
from rollcall.accounts.audit_chain import ChainReport, count_entries, verify_chain
from rollcall.accounts.audit_words import (
    known_actions,
    list_actions,
    say_action,
    say_field,
    say_value,
)
from rollcall.accounts.lookups import list_staff
from rollcall.errors import InvalidInput, NotFound
from rollcall.models import Role

pages = Blueprint("audit", __name__, url_prefix="/audit")

FILTERS = ("action", "object_type", "object_id", "staff", "origin", "from", "to", "q")
# As many entries are followed on the page; all of them by the command line.
FOLLOWED = 10_000


@pages.get("")
@allow(Role.ADMIN)
def index() -> ResponseReturnValue:
    """List the entries, the newest first; a filter stays while the pages are turned."""
    return _page()


@pages.get("/check")
@allow(Role.ADMIN)
def check() -> ResponseReturnValue:
    """Follow the end of the chain, and say above the entries what was found."""
    report = verify_chain(current_actor().organisation_id, last=FOLLOWED)
    whole = "HX-Request" not in request.headers
    page, status = _page(report) if whole else (_chain_part(report), 200)
    return page, status, {"Vary": "HX-Request"}


@pages.get("/export")
@allow(Role.ADMIN)
def export() -> ResponseReturnValue:
    """Give all entries of the filter as one file, the oldest first."""
    format = request.args.get("format", "csv")
    if format not in FORMATS:
        raise NotFound("There is no such file: choose csv or jsonl.")
    entries = export_entries(current_actor().organisation_id, _read_filter(_typed()))
    return download(write_file(format, entries), FORMATS[format], f"audit-trail.{format}")


def _page(report: ChainReport | None = None) -> tuple[str, int]:
    filters = _typed()
    errors: dict[str, str] = {}
    page = AuditPage([], None, None)
    try:
        page = list_audit_entries(
            current_actor().organisation_id,
            _read_filter(filters),
            older_than=read_id(request.args.get("before")),
            newer_than=read_id(request.args.get("after")),
        )
    except InvalidInput as error:
        errors = error.fields
    text = render_template(
        "audit/index.html",
        page=page,
        filters=filters,
        errors=errors,
        origins=ORIGINS,
        action_groups=list_actions(),
        known_actions=known_actions(),
        members=list_staff(current_actor().organisation_id),
        **_words(),
        **_chain(report),
        **_page_urls(page, filters),
    )
    return text, 422 if errors else 200


def _typed() -> dict[str, str]:
    return {
        name: request.args[name].strip() for name in FILTERS if request.args.get(name, "").strip()
    }


def _read_filter(typed: dict[str, str]) -> AuditFilter:
    return read_audit_filter(
        current_staff().organisation.timezone,
        staff_id=read_id(typed.get("staff")),
        first_day=typed.get("from", ""),
        last_day=typed.get("to", ""),
        text=typed.get("q", ""),
        **{name: typed.get(name, "") for name in ("action", "object_type", "object_id", "origin")},
    )


def _words() -> dict[str, Any]:
    organisation = current_staff().organisation

    def shown(field: str, value: Any) -> str:
        return say_value(field, value, organisation.timezone, organisation.currency)

    return {
        "changed_fields": changed_fields,
        "say_action": say_action,
        "say_field": say_field,
        "shown": shown,
    }


def _chain_part(report: ChainReport) -> str:
    return render_template("audit/_chain.html", **_chain(report))


def _chain(report: ChainReport | None) -> dict[str, Any]:
    """Return what the line about the chain shows; without a report only how many there are."""
    if report is not None:
        return {"report": report, "entries": report.entries}
    return {"report": None, "entries": count_entries(current_actor().organisation_id)}


def _page_urls(page: AuditPage, filters: dict[str, str]) -> dict[str, Any]:
    def address(place: Iterable[tuple[str, int | None]] = ()) -> str:
        query = urlencode({**filters, **dict(place)})
        return f"{url_for('audit.index')}?{query}"

    return {
        "newer_url": address([("after", page.newer_than)]) if page.newer_than else None,
        "older_url": address([("before", page.older_than)]) if page.older_than else None,
        "file_urls": {
            format: f"{url_for('audit.export')}?{urlencode({'format': format, **filters})}"
            for format in FORMATS
        },
    }
