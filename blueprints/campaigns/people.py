"""The people behind the numbers: of an audience that is only planned, and of a stored list."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from flask import (
    Response,
    current_app,
    redirect,
    render_template,
    request,
    url_for,
)
from flask.typing import ResponseReturnValue

from blueprints.access import current_actor, staff_only
from blueprints.addresses import read_id
from blueprints.campaigns.pages import pages
from blueprints.downloads import download
from rollcall.audience.comparison import list_movers
from rollcall.audience.criteria import DEFAULT_WINDOW_HOURS, campaign_criteria, criteria_from_text
from rollcall.audience.preview import list_audience
from rollcall.campaigns.drafts import find_campaign
from rollcall.errors import InvalidInput
from rollcall.explanations.recipients import (
    export_recipients,
    list_recipients,
    read_recipient_filter,
)
from rollcall.models import AudienceSource, Campaign, Channel, Reason, RecipientState

PAGE = 50
FILTERS = ("change", "status", "reason", "source", "cause", "list", "q")
SHOWN_STATES = [state.key for state in RecipientState if state is not RecipientState.CLAIMED]


@pages.get("/audience")
@staff_only
def audience() -> ResponseReturnValue:
    """List the people behind one piece of a funnel; for htmx as a fragment."""
    if not request.args.get("criteria"):
        return redirect(url_for("campaigns.index"))
    reason = _read_code(Reason, "reason", Reason.REACHABLE)
    source = _read_code(AudienceSource, "source", None)
    channel = Channel.EMAIL if request.args.get("channel") == Channel.EMAIL else Channel.SMS
    criteria = criteria_from_text(request.args.get("criteria", ""))
    people = list_audience(
        current_actor().organisation_id,
        criteria,
        channel,
        _read_moment(),
        reason,
        after=read_id(request.args.get("after")) or 0,
        limit=PAGE + 1,
        source=source,
    )
    return _render_people(
        "campaigns/people_behind.html",
        people,
        reason=reason,
        source=source,
        channel=channel,
        hours=criteria.window_hours,
    )


@pages.get("/<int:campaign_id>/movers")
@staff_only
def movers(campaign_id: int) -> ResponseReturnValue:
    """List who would join or leave a scheduled campaign if it were sent now."""
    campaign = find_campaign(current_actor().organisation_id, campaign_id)
    change = request.args.get("change", "joined")
    reason = _read_code(Reason, "reason", None)
    people = list_movers(
        campaign,
        change,
        reason=reason,
        after=read_id(request.args.get("after")) or 0,
        limit=PAGE + 1,
    )
    return _render_people(
        "campaigns/movers.html", people, campaign=campaign, change=change, reason=reason
    )


@pages.get("/<int:campaign_id>/recipients")
@staff_only
def recipients(campaign_id: int) -> ResponseReturnValue:
    """List the campaign's people, filtered and searched, with what became of each."""
    campaign = find_campaign(current_actor().organisation_id, campaign_id)
    filters = _read_filters()
    rows = list_recipients(
        campaign.id,
        read_recipient_filter(filters),
        after=read_id(request.args.get("after")) or 0,
        limit=PAGE + 1,
    )
    here = {"campaign_id": campaign.id, **filters}
    following = len(rows) > PAGE
    return render_template(
        "campaigns/recipients.html",
        campaign=campaign,
        rows=rows[:PAGE],
        filters=filters,
        hours=_window_hours(campaign),
        states=SHOWN_STATES,
        reasons=[reason.key for reason in Reason if reason is not Reason.REACHABLE],
        sources=[source.key for source in AudienceSource],
        csv_url=url_for("campaigns.recipients_csv", **here),
        first_url=url_for("campaigns.recipients", **here) if request.args.get("after") else None,
        next_url=(
            url_for("campaigns.recipients", **here, after=rows[PAGE - 1].person_id)
            if following
            else None
        ),
    )


@pages.get("/<int:campaign_id>/recipients.csv")
@staff_only
def recipients_csv(campaign_id: int) -> ResponseReturnValue:
    """Download the filtered list as CSV, streamed page by page."""
    campaign = find_campaign(current_actor().organisation_id, campaign_id)
    lines = export_recipients(campaign.id, read_recipient_filter(_read_filters()))
    return download(lines, name=f"campaign-{campaign.id}-recipients.csv")


def _window_hours(campaign: Campaign) -> int:
    try:
        return campaign_criteria(campaign).window_hours
    except InvalidInput:
        return DEFAULT_WINDOW_HOURS


def _render_people(template: str, people: list[Any], **context: Any) -> Response:
    query: Mapping[str, Any] = {
        **(request.view_args or {}),
        **request.args.to_dict(),
    }
    next_url = None
    if len(people) > PAGE:
        next_url = url_for(str(request.endpoint), **{**query, "after": people[PAGE - 1].person_id})
    page = render_template(
        template,
        people=people[:PAGE],
        next_url=next_url,
        fragment="HX-Request" in request.headers,
        **context,
    )
    response = current_app.make_response(page)
    response.vary.add("HX-Request")
    return response


def _read_filters() -> dict[str, str]:
    return {name: request.args[name] for name in FILTERS if request.args.get(name, "").strip()}


def _read_code(codes: Any, name: str, default: Any) -> Any:
    word = request.args.get(name)
    if not word:
        return default
    try:
        return codes[word.upper()]
    except KeyError:
        known = ", ".join(code.key for code in codes)
        raise InvalidInput({name: f"Use one of {known}."}) from None


def _read_moment() -> datetime | None:
    text = request.args.get("at")
    if not text:
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None or not 1970 < moment.year < 2300:
        raise InvalidInput({"at": "Give a moment such as 2026-11-29T15:00:00+00:00."})
    return moment
