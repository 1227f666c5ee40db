"""The audit trail: who changed what, when and from where."""

from urllib.parse import urlencode

from flask import Blueprint, render_template, request, url_for
from flask.typing import ResponseReturnValue

from blueprints.access import allow, current_actor
from blueprints.addresses import read_id
from rollcall.models import Role
from rollcall.organisations.audit import (
    AuditFilter,
    AuditPage,
    changed_fields,
    list_audit_entries,
)
from rollcall.organisations.reading import list_staff

pages = Blueprint("audit", __name__, url_prefix="/audit")


@pages.get("")
@allow(Role.ADMIN)
def index() -> ResponseReturnValue:
    """List the entries, the newest first; a filter stays while the pages are turned."""
    filters = {
        name: request.args[name].strip()
        for name in ("action", "object_type", "object_id", "staff")
        if request.args.get(name, "").strip()
    }
    wanted = AuditFilter(
        action=filters.get("action"),
        object_type=filters.get("object_type"),
        object_id=filters.get("object_id"),
        staff_id=read_id(filters.get("staff")),
    )
    organisation_id = current_actor().organisation_id
    page = list_audit_entries(
        organisation_id,
        wanted,
        older_than=read_id(request.args.get("before")),
        newer_than=read_id(request.args.get("after")),
    )
    return render_template(
        "audit/index.html",
        page=page,
        changed_fields=changed_fields,
        members=list_staff(organisation_id),
        filters=filters,
        **_page_urls(page, filters),
    )


def _page_urls(page: AuditPage, filters: dict[str, str]) -> dict[str, str | None]:
    base = url_for("audit.index")
    newer = urlencode({**filters, "after": page.newer_than})
    older = urlencode({**filters, "before": page.older_than})
    return {
        "newer_url": f"{base}?{newer}" if page.newer_than else None,
        "older_url": f"{base}?{older}" if page.older_than else None,
    }
