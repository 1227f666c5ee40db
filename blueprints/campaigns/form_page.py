"""Everything that the form's page and its live fragments are rendered with."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from flask import render_template, url_for

from blueprints.access import current_staff
from blueprints.addresses import read_id
from blueprints.campaigns.event_news import news_of
from blueprints.campaigns.form import draft_of
from blueprints.campaigns.form_limits import LIMITS, PREFIX
from blueprints.campaigns.form_picking import count_missing
from blueprints.campaigns.form_trying import FormTest, own_test_phone, send_form_test
from blueprints.campaigns.form_values import FormValues
from rollcall.audience.criteria import Criteria, Reached, criteria_to_text
from rollcall.audience.criteria.table import TABLE
from rollcall.audience.funnel import STEPS
from rollcall.campaigns.draft_preview import AUDIENCE_FIELDS, DraftPreview, preview_draft
from rollcall.campaigns.drafts import NEEDS_EVENTS, NEEDS_TIME, may_choose
from rollcall.campaigns.form_options import (
    PEOPLE_SHOWN,
    ChosenSegment,
    find_chosen_events,
    find_chosen_segment,
    find_event_options,
    find_exclusion_options,
    find_picked_people,
    find_segment_options,
    segment_text,
)
from rollcall.campaigns.guards import role_limits
from rollcall.charts import stack_bar
from rollcall.models import AudienceSource, Campaign, Person, QuietHours, Reason
from rollcall.people.search import search_people
from rollcall.walltime import known_timezones

# Where a field's problem is shown, for the names that differ from the page's ids.
FIELD_IDS = {
    "audience_mode": "reprocess",
    **{row.key: next(iter(row.form.inputs)) for row in TABLE if row.key not in row.form.inputs},
    "people": "pasted",
    "bump_version": "segment-choice",
    "force_snapshot": "segment-choice",
    "targeting_criteria": "events",
    **{name: PREFIX + name for name in LIMITS},
}
PAGE_ORDER = (
    *("name", "channel", "subject", "message", "link"),
    *(name for row in TABLE for name in (row.key, *row.form.inputs)),
    *("snapshot_mode", "bump_version", "force_snapshot", "people_file", "pasted"),
    *("scheduled_local_time", "scheduled_timezone", "quiet_hours", "not_after", "audience_mode"),
    *("direction", "min_growth", *LIMITS, "dry_run_address", "dry_run_limit"),
)
# Longer addresses are refused by proxies on the way; only long hand-picked lists come near.
LONGEST_CRITERIA = 6_000


def render_form(
    values: FormValues,
    campaign: Campaign | None = None,
    *,
    errors: Mapping[str, str] | None = None,
    tried: bool = False,
    problem: str | None = None,
    test: FormTest | None = None,
) -> str:
    """Return the whole page.

    `tried` shows what is wrong with what was filled in so far; `errors` are those of an
    attempt to store it; `problem` is a sentence about the campaign as a whole; `test` is what
    became of a test of the message.
    """
    preview = _preview(values)
    if errors is None:
        errors = problems_so_far(values, preview.problems) if tried else {}
    return render_template(
        "campaigns/edit.html",
        campaign=campaign,
        errors=in_page_order(errors),
        problem=problem,
        event_news=news_of(campaign),
        test=test,
        last_phone=own_test_phone(),
        field_ids=FIELD_IDS,
        timezones=sorted(known_timezones()),
        may_override=may_choose(current_staff().rank, QuietHours.OVERRIDE),
        **_audience_context(values),
        **preview_context(values, preview),
    )


def try_form(values: FormValues, campaign: Campaign | None = None) -> FormTest:
    """Send the message as it stands in the form to whoever writes it; returns what came of it."""
    preview = _preview(values)
    sample_id = _chosen_sample(values, preview)
    return send_form_test(values, preview, sample_id, campaign.id if campaign else None)


def _audience_context(values: FormValues) -> dict[str, Any]:
    """Return everything that the audience's part of the form offers."""
    context = event_context(values) | segment_context(values) | people_context(values)
    context |= exclusion_context(values)
    del context["values"]
    return context


def preview_context(values: FormValues, preview: DraftPreview | None = None) -> dict[str, Any]:
    """Return what the preview and the parts of the form that follow it are rendered with."""
    preview = preview or _preview(values)
    staff = current_staff()
    audience = preview.audience
    funnel = audience.funnel.to_json() if audience else {}
    return {
        "values": values,
        "preview": preview,
        "audience": audience,
        "funnel_counts": funnel,
        "bar": stack_bar(
            {key: funnel.get(key, 0) for key in ("reachable", *_step_keys())} if funnel else {}
        ),
        "urls": piece_urls(preview),
        "source_urls": source_urls(preview),
        "unfinished": in_page_order(problems_so_far(values, preview.problems)),
        "chosen_sample": _chosen_sample(values, preview),
        "reprocess_refusal": _reprocess_refusal(values),
        "own_limits": role_limits(staff.rank, staff.organisation.guard_limits),
        "chosen_segment": _chosen_segment(values),
    }


def _preview(values: FormValues) -> DraftPreview:
    staff = current_staff()
    return preview_draft(staff.organisation, draft_of(values), staff.rank)


def event_context(values: FormValues) -> dict[str, Any]:
    """Return the events to choose from."""
    organisation_id = current_staff().organisation_id
    chosen = values["events"]
    return {
        "values": values,
        "events": find_event_options(organisation_id, chosen, values.event_search),
    }


def people_context(values: FormValues) -> dict[str, Any]:
    """Return the people picked so far, and those whom the search has found beside them."""
    organisation_id = current_staff().organisation_id
    found: list[Person] = []
    if values.people_search.strip():
        page = search_people(organisation_id, values.people_search, limit=12)
        found = [person for person in page.rows if person.id not in values["people"]]
    return {
        "values": values,
        "picked": find_picked_people(organisation_id, values["people"]),
        "more_people": values["people"][PEOPLE_SHOWN:],
        "found": found,
        "addable": count_missing(values.missing),
    }


def segment_context(values: FormValues) -> dict[str, Any]:
    """Return the segments to choose from, and the events to which the chosen one is narrowed."""
    organisation_id = current_staff().organisation_id
    return {
        "values": values,
        "segments": find_segment_options(organisation_id, values["segment"], values.segment_search),
        "segment_events": find_chosen_events(organisation_id, values["segment_events"]),
    }


def exclusion_context(values: FormValues) -> dict[str, Any]:
    """Return whom the form offers to leave out."""
    return {
        "values": values,
        "exclusions": find_exclusion_options(
            current_staff().organisation_id,
            values["exclude_events"],
            values["exclude_segments"],
            values["exclude_campaigns"],
            values.exclude_search,
        ),
        "chosen_exclusions": {segment_text(choice) for choice in values["exclude_segments"]},
        "reached_of": {choice.id: choice.who for choice in values["exclude_campaigns"]},
        "reached": [who.value for who in Reached],
    }


def in_page_order(problems: Mapping[str, str]) -> dict[str, str]:
    """Return the problems from the top of the page to its end; one says enough of the audience."""
    shown = dict(problems)
    if AUDIENCE_FIELDS & (shown.keys() - {"events"}):
        shown.pop("events", None)
    known = [name for name in PAGE_ORDER if name in shown]
    return {name: shown[name] for name in [*known, *(shown.keys() - set(known))]}


def problems_so_far(values: FormValues, problems: Mapping[str, str]) -> dict[str, str]:
    """Return the problems of what has been filled in; an empty field is just not written yet."""
    writable = ("name", "subject", "message", "link", "dry_run_address")
    empty = {name for name in writable if not getattr(values, name)}
    if not values.scheduled_local_time:
        empty.add("scheduled_local_time")
    return {name: text for name, text in problems.items() if name not in empty}


def piece_urls(preview: DraftPreview) -> dict[str, str]:
    """Return for each piece of the funnel the page with its people."""
    return {
        key: audience_url(preview.criteria, preview.draft.channel, preview.moment, reason=key)
        for key in ("reachable", *_step_keys())
        if _fits_an_address(preview.criteria)
    }


def source_urls(preview: DraftPreview) -> dict[str, str]:
    """Return for each source the page with the reachable people who came in by it."""
    return {
        source.key: audience_url(
            preview.criteria,
            preview.draft.channel,
            preview.moment,
            reason=Reason.REACHABLE.key,
            source=source.key,
        )
        for source in AudienceSource
        if _fits_an_address(preview.criteria)
    }


def audience_url(criteria: Criteria, channel: str, moment: datetime | None, **narrowed: Any) -> str:
    """Return the page with the people of an audience as of sending at `moment` (None: now)."""
    return url_for(
        "campaigns.audience",
        criteria=criteria_to_text(criteria),
        channel=channel,
        at=moment.isoformat() if moment else None,
        **narrowed,
    )


def _fits_an_address(criteria: Criteria) -> bool:
    return len(criteria_to_text(criteria)) <= LONGEST_CRITERIA


def _step_keys() -> tuple[str, ...]:
    return tuple(step.key for step in STEPS)


def _chosen_sample(values: FormValues, preview: DraftPreview) -> int | None:
    if not preview.audience or not preview.audience.samples:
        return None
    ids = [sample.person_id for sample in preview.audience.samples]
    return values.sample if values.sample in ids else ids[0]


def _reprocess_refusal(values: FormValues) -> str | None:
    """Return why the audience can't be re-processed as the form stands, or None."""
    if not values.scheduled:
        return f"{NEEDS_TIME}: choose a date and time first."
    if not values.may_reprocess:
        missing = {"events": "an event", "segment": "a segment"}
        return f"{NEEDS_EVENTS}: choose {missing.get(values.mode, 'an event or a segment')} first."
    return None


def _chosen_segment(values: FormValues) -> ChosenSegment | None:
    if values.mode != "segment" or not values["segment"]:
        return None
    return find_chosen_segment(
        current_staff().organisation_id, values["segment"], read_id(values["segment_version"])
    )
